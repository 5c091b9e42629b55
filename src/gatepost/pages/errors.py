"""What can go wrong with a page."""

from gatepost.core.errors import Forbidden

__all__ = ["FormExpired"]


class FormExpired(Forbidden):
    """A form of another session: somebody has signed in again since the page was opened."""

    code = "form-expired"
    sentence = "This form has expired. Open the page again."
