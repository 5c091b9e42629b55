"""The floor every room stands on: database, unit of work, events, errors, crypto, HTTP plumbing.

It knows no business word and imports nothing else of ours.
"""

__all__: list[str] = []
