"""Reports as lines of JSON: ``{"at": …, "report": {…}}``, in the order in which they arrive."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from pbxrules.pbx.arrivals import Sent

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def lines(reports: Iterable[Sent], *, start_s: float, zone: tzinfo) -> Iterator[str]:
    """One line for each report, with the moment at which it arrives, in *zone*."""
    for sent in reports:
        at = datetime.fromtimestamp(start_s + sent.at_s, zone).isoformat(timespec="milliseconds")
        yield f'{{"at":"{at}","report":{_ENCODER.encode(sent.report)}}}\n'
