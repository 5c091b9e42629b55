"""The messages people get: which event sends which, in their language, and what they may turn off.

Owns the table `notice_preferences`. Promises that a letter is sent while it is of use and not after, that text and
page say the same, that no name turns into a link, and that nobody can turn off what is about credentials. Listens to
the rooms below; none of them knows it.
"""

from gatepost.notices.consumer import Correspondent
from gatepost.notices.languages import Languages, locale_of
from gatepost.notices.letters import LETTERS, MUTABLE, Letter
from gatepost.notices.models import NoticePreference
from gatepost.notices.occasions import BY_ANYBODY, OCCASIONS, Happening
from gatepost.notices.preview import must_render, preview
from gatepost.notices.rendering import Particulars, Rendered, Renderer
from gatepost.notices.schemas import NoticePreferencesIn, NoticePreferencesOut
from gatepost.notices.service import Notices
from gatepost.notices.settings import BrandOptions, NoticeOptions

__all__ = [
    "BY_ANYBODY",
    "LETTERS",
    "MUTABLE",
    "OCCASIONS",
    "BrandOptions",
    "Correspondent",
    "Happening",
    "Languages",
    "Letter",
    "NoticeOptions",
    "NoticePreference",
    "NoticePreferencesIn",
    "NoticePreferencesOut",
    "Notices",
    "Particulars",
    "Rendered",
    "Renderer",
    "locale_of",
    "must_render",
    "preview",
]
