"""The pages that links in mails lead to: one button each, no script, in the reader's language.

Owns no table. Promises that opening a page changes nothing, however often a program that scans mail does it, and that
only its button does. Whoever brings pages of their own uses the same services as JSON.
"""

from gatepost.pages.rendering import Pages

__all__ = ["Pages"]
