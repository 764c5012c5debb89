"""Templates: Jinja2's syntax, and what each of its contexts makes of a call's text.

``compile_template`` and ``compile_tree`` check a text when rules are loaded and raise one
``TemplateError`` with all that is wrong; ``render`` fills it in, and raises ``RenderError``
only.  ``FILTERS``, ``TESTS``, ``INSTANT`` and ``CALL`` are the tables that the docs are made from.
"""

from pbxrules.template.compiling import Template, compile_template
from pbxrules.template.filters import FILTERS
from pbxrules.template.instants import INSTANT, Instant
from pbxrules.template.names import CALL, Names, UnknownMember, unknown_member, variables_used
from pbxrules.template.predicates import TESTS
from pbxrules.template.problems import TemplateError, TemplateProblem, template_fault
from pbxrules.template.trees import Tree, compile_tree
from pbxrules.template.values import Context, RenderError, RuleVars, Scope, kind, plain, rule_vars

__all__ = [
    "CALL",
    "FILTERS",
    "INSTANT",
    "TESTS",
    "Context",
    "Instant",
    "Names",
    "RenderError",
    "RuleVars",
    "Scope",
    "Template",
    "TemplateError",
    "TemplateProblem",
    "Tree",
    "UnknownMember",
    "compile_template",
    "compile_tree",
    "kind",
    "plain",
    "rule_vars",
    "template_fault",
    "unknown_member",
    "variables_used",
]
