"""The audit report: one system of a finished run, beside the context in which it is declared to be used.

``case`` gathers what a report stands on and refuses what cannot be signed; every section is made in the
module of its subject; ``sections`` puts them in order, ``write`` writes the same tree as HTML, Markdown and
JSON. A report says what was measured, what was not, and what would follow from the declared use. It
estimates nothing, and never says that a system keeps the law.
"""
