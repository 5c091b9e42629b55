"""The pages: sign in, sign up, recover, look after one's account, and what links in mails lead to.

Owns no table and holds no rules: every button calls the service that the API calls. Promises that each journey works
without scripts and from the keyboard, that opening a page changes nothing, that a form is answered by a redirect, and
that nobody is led to a place that no setting names. Whoever brings pages of their own uses the same services as JSON.
"""

from gatepost.pages.rendering import Pages
from gatepost.pages.settings import PageOptions
from gatepost.pages.surface import HtmlRefusals, Surfaces, pages_surface

__all__ = ["HtmlRefusals", "PageOptions", "Pages", "Surfaces", "pages_surface"]
