"""Open the built site in a browser: images, equations, search, width of a phone.

    pip install playwright        and chromium, of the system or by `playwright install chromium`
    python docs/check_site.py --screenshots FOLDER

Every page is loaded from disk, without a network, at the widths of a desktop and of a phone. Fails
with a list of what is broken.
"""

import argparse
import contextlib
import functools
import shutil
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, Route, sync_playwright

SITE = Path(__file__).parent / "_build" / "html"
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
SHOWN = (
    *("index", "start", "explanation/latent_charges", "explanation/born_charges"),
    *("tutorials/phonons", "generated/commands", "generated/gallery", "generated/models"),
)
BROKEN_IMAGES = "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
MATHJAX_DONE = "window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => true)"
UNRENDERED = """[...document.querySelectorAll('.math')].filter(
    m => !m.querySelector('mjx-container')).map(m => m.textContent.slice(0, 60))"""
BAD_MATH = "[...document.querySelectorAll('[data-mjx-error]')].map(m => m.dataset.mjxError)"
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def check(page: Page, name: str, address: str, size: str) -> list[str]:
    found = []
    page.goto(f"{address}/{name}.html")
    if page.query_selector(".math"):
        page.evaluate(MATHJAX_DONE)
        found += [f"equation: {text}" for text in page.evaluate(UNRENDERED)]
        found += [f"equation: {text}" for text in page.evaluate(BAD_MATH)]
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_load_state("networkidle")
    found += [f"image: {source}" for source in page.evaluate(BROKEN_IMAGES)]
    if page.evaluate(TOO_WIDE) > 1:
        found.append(f"{page.evaluate(TOO_WIDE)} pixels too wide")
    return [f"{name} ({size}): {each}" for each in found]


def search(page: Page, address: str, word: str) -> list[str]:
    page.goto(f"{address}/search.html?q={word}")
    page.wait_for_selector("ul.search li a", timeout=20_000)
    links = page.eval_on_selector_all("ul.search li a", "all => all.map(a => a.href)")
    return [] if any("born" in link for link in links) else [f"search for {word}: {links[:5]}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", help="such as start; all if absent")
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    handler = functools.partial(Quiet, directory=str(SITE))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    pages = arguments.pages or [
        str(path.relative_to(SITE).with_suffix(""))
        for path in sorted(SITE.rglob("*.html"))
        if "_modules" not in path.parts and path.stem not in ("search", "genindex", "py-modindex")
    ]
    broken: list[str] = []

    def refuse(route: Route) -> None:
        """Nothing may come from elsewhere."""
        broken.append(f"request: {route.request.url}")
        route.abort()

    with contextlib.closing(server.socket), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for size, (width, height) in WIDTHS.items():
            context = browser.new_context(viewport={"width": width, "height": height})
            page = context.new_page()
            page.route(lambda url: not url.startswith((address, "data:")), refuse)
            for name in pages:
                broken += check(page, name, address, size)
                if arguments.screenshots and name in SHOWN:
                    arguments.screenshots.mkdir(parents=True, exist_ok=True)
                    file = f"{name.replace('/', '-')}-{size}.png"
                    page.screenshot(path=str(arguments.screenshots / file), full_page=False)
            broken += search(page, address, "born")
        browser.close()
    print(f"{len(pages)} pages, {len(broken)} faults")
    print("\n".join(dict.fromkeys(broken)))
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
