"""Reports: estimates become pages, figures and terminal tables.

``results`` reads a finished run, ``format`` turns numbers into text (the only place that does), ``table``
and ``page`` arrange the text, ``figures`` draws, ``render`` writes the HTML report and ``terminal`` prints.
Nothing here computes a metric or an interval: every number printed is a row of the Estimates table.
"""
