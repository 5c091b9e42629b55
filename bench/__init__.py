"""Gatepost measured beside what it is built of (the ceilings) and beside a peer: `python -m bench`.

A run goes from `run.py` (what is measured, in which order) through `subjects.py` (what a measured service
is), `scenarios.py` (what is asked of it), `load.py` (who asks) and `accounting.py` (what it cost) to
`report.py` and `page.py`.
"""
