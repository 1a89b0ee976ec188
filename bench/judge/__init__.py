"""Judge: tables of targets and predictions in, the Estimates table out.

Rows become summable statistics (``kernels``), statistics are held per cluster and stratum (``atoms``), every
metric is a function of their sums (``metrics``), a slice is a membership of strata (``slices``), an interval
is a weighting of clusters (``infer``), a status says what may be shown and compared (``status``), and
``score`` writes it all down. Needs numpy, pyarrow and scipy.special; refuses to know models or media.
"""
