"""QR codes."""

import io

import segno

__all__ = ["qr_svg"]


def qr_svg(content: str) -> str:
    """Return a QR code as SVG, to be put into a page as it is. Milliseconds of work: not for the event loop."""
    drawn = io.BytesIO()
    # Dark on light with the quiet zone that readers need, also on a dark page.
    segno.make(content, error="m", micro=False).save(
        drawn, kind="svg", xmldecl=False, svgns=True, omitsize=True, light="#fff", border=4
    )
    return drawn.getvalue().decode().strip()
