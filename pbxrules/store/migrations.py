"""The tables of the SQLite store, version by version.

``PRAGMA user_version`` is how many of these were applied.  A released entry never
changes; a new version adds one.
"""

import sqlite3

from pbxrules.errors import StoreError

MIGRATIONS = (
    """
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE boots (id INTEGER PRIMARY KEY, boot TEXT NOT NULL UNIQUE);
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        boot INTEGER NOT NULL, uptime REAL NOT NULL, wall REAL NOT NULL,
        event TEXT NOT NULL,
        digest BLOB NOT NULL,
        subject TEXT,
        resend_s REAL NOT NULL,
        seen_boot INTEGER NOT NULL, seen_uptime REAL NOT NULL, seen_wall REAL NOT NULL,
        repeats INTEGER NOT NULL,
        fields TEXT NOT NULL,
        body BLOB NOT NULL,
        verdicts TEXT NOT NULL
    );
    CREATE INDEX events_subject ON events (subject, id) WHERE subject IS NOT NULL;
    CREATE TABLE runs (
        id INTEGER PRIMARY KEY,
        rule TEXT NOT NULL,
        program TEXT NOT NULL,
        position TEXT NOT NULL,
        verb TEXT NOT NULL,
        due_boot INTEGER NOT NULL, due_uptime REAL NOT NULL, due_wall REAL NOT NULL,
        expires_s REAL,
        try_boot INTEGER NOT NULL, try_uptime REAL NOT NULL, try_wall REAL NOT NULL,
        attempt INTEGER NOT NULL,
        tried TEXT NOT NULL
    );
    CREATE INDEX runs_open ON runs (id) WHERE position <> '';
    CREATE TABLE programs (digest TEXT PRIMARY KEY, source TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE refused (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        first_wall REAL NOT NULL, last_wall REAL NOT NULL,
        count INTEGER NOT NULL,
        status INTEGER NOT NULL,
        title TEXT NOT NULL,
        errors TEXT NOT NULL,
        body BLOB NOT NULL
    );
    CREATE INDEX refused_last ON refused (last_wall);
    """,
    # Which trigger of its rule began a run, for {{ trigger.id }}; no run before this could ask.
    """
    ALTER TABLE runs ADD COLUMN trigger_id TEXT NOT NULL DEFAULT '';
    """,
    # Calls, lanes, what a run that waits has gathered, and what is remembered between events.
    """
    ALTER TABLE events ADD COLUMN call TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN lane TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN call TEXT NOT NULL DEFAULT '';
    ALTER TABLE runs ADD COLUMN more TEXT NOT NULL DEFAULT '';
    CREATE TABLE memory (
        kind TEXT NOT NULL, rule TEXT NOT NULL, name TEXT NOT NULL,
        value TEXT NOT NULL,
        until_boot INTEGER, until_uptime REAL, until_wall REAL,
        PRIMARY KEY (kind, rule, name)
    ) WITHOUT ROWID;
    """,
    # The runs that were given up, for pbxrules queue; rows.GIVEN_UP has the same words.
    """
    CREATE INDEX runs_given_up ON runs (id) WHERE more GLOB '{"given_up":*';
    """,
)


def migrate(db: sqlite3.Connection) -> None:
    """Bring the file to the newest version, each step in one transaction.

    Raises:
        StoreError: The file is of a newer pbxrules.  Nothing was changed.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the store is of version {version}; this pbxrules knows {len(MIGRATIONS)}: "
            "run the newer pbxrules, or give another state folder"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")
