"""From models and media to tables: decode, perturb, find faces, predict, and keep every row.

Needs torch; imported by nothing but ``bench.cli`` and by zoo models, which see ``clip``, ``pipeline`` and
``front``.
"""
