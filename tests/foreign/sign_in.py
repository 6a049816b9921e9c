"""Plays a person's browser on the development provider's page: sign_in.py PAGE PERSON SECRET CA_FILE."""
import html.parser
import ssl
import sys
import urllib.parse
import urllib.request


class Form(html.parser.HTMLParser):
    """The fields of the first form of a page."""

    def __init__(self):
        super().__init__()
        self.action, self.fields, self.open = None, {}, False

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.open = given.get("action", ""), True
        elif self.open and tag in ("input", "button") and given.get("name"):
            self.fields.setdefault(given["name"], given.get("value", ""))

    def handle_endtag(self, tag):
        self.open = self.open and tag != "form"


def main(page, person, secret, authority):
    context = ssl.create_default_context(cafile=authority)
    browser = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), urllib.request.HTTPCookieProcessor())
    response = browser.open(page, timeout=30)
    for _ in range(6):
        form, address = Form(), response.geturl()
        form.feed(response.read().decode())
        if form.action is None:
            return
        typed = {"user": person, "login": person, "username": person, "person": person, "name": person, "secret": secret}
        fields = {name: typed.get(name, value) for name, value in form.fields.items()}
        origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(address))
        response = browser.open(urllib.request.Request(
            urllib.parse.urljoin(address, form.action), urllib.parse.urlencode(fields).encode(), {"Origin": origin}), timeout=30)
    sys.exit("the login never ended")


main(*sys.argv[1:])
