#!/usr/bin/env python3
"""check_html.py [--links] FILE|FOLDER...: pages hold only elements and attributes that the renderer writes by
itself, nested properly, nothing that runs, and addresses that stay in the folder. --links: the files
that they lead to are there. --fragment: output of a Markdown program, no whole page."""
import glob
import os
import re
import sys
import urllib.parse
from html.parser import HTMLParser

VOID = {"meta", "br", "path", "line", "circle", "hr", "input"}
ELEMENTS = VOID | set(
    "html head title style body main header footer section p span h1 h2 code dl div dt dd table thead "
    "tbody tfoot tr th td small b i a figure figcaption pre ul li details summary svg text tspan rect".split())
FRAGMENT = set("h1 h2 p code pre table thead tbody tr th td ul li".split())
ATTRIBUTES = set(
    "lang charset name content open http-equiv class title href id scope colspan data-label width height role "
    "aria-label aria-hidden x y x1 x2 y1 y2 dy cx cy r d text-anchor dx viewbox preserveaspectratio overflow".split())


class Check(HTMLParser):
    def __init__(self, path, elements, links):
        super().__init__(convert_charrefs=True)
        self.path, self.elements, self.links = path, elements, links
        self.open, self.bad, self.seen = [], [], 0

    def handle_starttag(self, tag, attrs):
        self.seen += 1
        if tag not in self.elements:
            self.bad.append(f"element <{tag}>")
        for name, value in attrs:
            if name not in ATTRIBUTES and not (tag in ("th", "td") and name == "align"):
                self.bad.append(f"attribute {name} of <{tag}>")
            if name == "href":
                self.address(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append(f"</{tag}> closes nothing")

    def handle_comment(self, data):
        self.bad.append("a comment")

    def handle_pi(self, data):
        self.bad.append("a processing instruction")

    def address(self, value):
        if not re.fullmatch(r"\./[A-Za-z0-9._~/%-]+", value) or "/../" in value:
            self.bad.append(f"address {value}")
        elif self.links:
            target = os.path.join(os.path.dirname(self.path), urllib.parse.unquote(value))
            if not os.path.exists(target):
                self.bad.append(f"nothing at {value}")


def main():
    flags = {a for a in sys.argv[1:] if a.startswith("--")}
    bad = 0
    paths = [a for a in sys.argv[1:] if not a.startswith("--")]
    paths = [p for a in paths for p in (glob.glob(a + "/*") if os.path.isdir(a) else [a])]
    for path in paths:
        with open(path, encoding="utf-8") as f:  # strict: it must be valid UTF-8
            text = f.read()
        check = Check(path, FRAGMENT if "--fragment" in flags else ELEMENTS, "--links" in flags)
        check.feed(text)
        check.close()
        if check.open:
            check.bad.append(f"left open: {check.open[:5]}")
        if check.seen < 10:
            check.bad.append("hardly anything in it")
        # C0 and C1 controls, and what turns the reading direction around
        if re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text):
            check.bad.append("control characters")
        for what in check.bad[:10]:
            print(f"{path}: {what}")
        bad |= bool(check.bad)
    return bad


sys.exit(main())
