# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail of a real daemon to a real SMTP server: TLS, passwords, headers that cannot be injected."""
import email
import email.policy
import json
import logging
import os
import shutil
import ssl
import subprocess
import tempfile
import time
import warnings

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from receivers import KEXSECT, NotifyLab, PASSWORD, free_port, make_certificate, playing_engine, run_all

HOSTILE = "x\r\nBcc: evil@example.org\r\n.\r\nMAIL FROM:<evil@example.org>\r\n<b>\u202eé" + "ü" * 300


class Server:
    """aiosmtpd; `refuse`: what it says to DATA, once each."""

    def __init__(self, certificate=None, implicit=False, password=PASSWORD, refuse=()):
        self.mails, self.logins, self.refuse = [], [], list(refuse)
        self.rcpt = []
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
        outer = self

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                if "unknown" in address:
                    return "550 5.1.1 no such user here"
                envelope.rcpt_tos.append(address)
                return "250 OK"

            async def handle_DATA(self, server, session, envelope):
                if outer.refuse:
                    return outer.refuse.pop(0)
                outer.mails.append(envelope.original_content)
                outer.rcpt.append((envelope.mail_from, list(envelope.rcpt_tos)))
                return "250 2.0.0 queued"

        def login(server, session, envelope, mechanism, data):
            outer.logins.append((session.ssl is not None, data.login.decode()))
            return AuthResult(success=data.password.decode() == password, handled=False)

        more = {"auth_required": password is not None, "authenticator": login} if password is not None else {}
        if certificate and not implicit:
            more |= {"tls_context": context, "require_starttls": True}
        self.port = free_port()
        self.controller = Controller(Handler(), hostname="127.0.0.1", port=self.port,
                                     **({"ssl_context": context, "auth_require_tls": False} if implicit else {}), **more)
        self.controller.start()

    def end(self):
        self.controller.stop()

    def wait(self, n):
        for _ in range(500):
            if len(self.mails) >= n:
                return [email.message_from_bytes(m, policy=email.policy.default) for m in self.mails]
            time.sleep(0.04)
        raise AssertionError(self.mails)


def mail(server, name="alice", scheme="smtp", more="", to="[alice@example.org, bob@example.org]", ca=None):
    return (f"  - name: {name}\n    mail: {to}\n    from: kexsect@lab.example.org\n"
            f"    smtp: {scheme}://localhost:{server.port}\n    user: kexsect\n    password_file: password\n"
            + (f"    ca_file: {ca}\n" if ca else "") + more)


def test_starttls_and_headers():
    folder, *pem = make_certificate()
    s = Server(pem, refuse=["451 4.3.0 try later", "421 4.3.2 not now"])
    lab = NotifyLab(mail(s, ca=pem[0])).start()
    lab.submit("window", "trials=2 ms=5")
    m = s.wait(1)[0]
    assert s.logins[-1] == (True, "kexsect")
    assert s.rcpt == [("kexsect@lab.example.org", ["alice@example.org", "bob@example.org"])]
    assert m["From"].addresses[0].addr_spec == "kexsect@lab.example.org"
    assert [a.addr_spec for a in m["To"].addresses] == ["alice@example.org", "bob@example.org"]
    assert m["Subject"] == "kexsect: verdict: window: it cures the fault (p = 0.995)", m["Subject"]
    assert m["Message-ID"].endswith("@lab.example.org>") and m["Message-ID"].startswith("<msg_")
    assert abs(m["Date"].datetime.timestamp() - time.time()) < 60
    assert m["Auto-Submitted"] == "auto-generated" and m.get_content_type() == "text/plain"
    assert "kexsect report window-1 --results" in m.get_content()
    n = lab.wait_notice("sent", "alice")
    assert n["attempts"] == 3 and m["Message-ID"] == f"<{n['uuid']}@lab.example.org>", n
    time.sleep(0.3)
    assert len(s.mails) == 1
    assert PASSWORD.encode() not in lab.everything_written()
    lab.end()
    s.end()
    shutil.rmtree(folder)


def test_hostile_text_is_no_header():
    folder, *pem = make_certificate()
    s = Server(pem, implicit=True)
    for engine, words in ((playing_engine(HOSTILE), "x  Bcc"),
                          (playing_engine(None, 1, b"bad \xff\xfe\r\nBcc: evil@example.org\r\n\x1b[31m red"), "red")):
        before = len(s.mails)
        lab = NotifyLab(mail(s, scheme="smtps", ca=pem[0], more="    kinds: [verdict, retry]\n"), engine=engine).start()
        lab.submit("h")
        m = s.wait(before + 1)[before]
        names = sorted(k.lower() for k in m.keys())
        assert names == sorted(["date", "from", "to", "subject", "message-id", "mime-version", "content-type",
                                "content-transfer-encoding", "auto-submitted"]), names
        assert words in m["Subject"] and words in m.get_content(), (m["Subject"], m.get_content())
        assert "\x1b" not in m.get_content() and not m.defects
        raw = s.mails[before]
        assert all(len(line) <= 78 for line in raw.split(b"\r\n")) and raw.isascii()
        assert all(to == ["alice@example.org", "bob@example.org"] for _, to in s.rcpt)
        os.unlink(engine)
        lab.end()
    s.end()
    shutil.rmtree(folder)


def test_no_password_without_tls():
    plain = Server(password="whatever")           # offers no STARTTLS
    lab = NotifyLab(mail(plain)).start()
    lab.submit("a", "trials=1 ms=1")
    detail = lab.wait_notice("pending", "alice")["detail"]
    assert "TLS" in detail or "SSL" in detail, detail
    assert not plain.logins and not plain.mails
    lab.end()
    plain.end()


def test_wrong_certificate_and_password():
    folder, *pem = make_certificate()
    other, *wrong = make_certificate()
    s, t = Server(pem), Server(pem, password="another one")
    lab = NotifyLab(mail(s, ca=wrong[0]) + mail(s, "system") + mail(t, "login", ca=pem[0]) +
                    mail(s, "rcpt", to="[unknown@example.org]", ca=pem[0])).start()
    lab.submit("a", "trials=1 ms=1")
    for name in ("alice", "system"):
        assert "ertificate" in (d := lab.wait_notice("pending", name)["detail"]) or "SSL" in d, d
    assert lab.wait_notice("given-up", "login")["attempts"] == 5
    assert lab.wait_notice("given-up", "rcpt")["attempts"] == 5
    assert not s.mails and not t.mails
    assert PASSWORD.encode() not in lab.everything_written()
    lab.end()
    s.end()
    t.end()
    shutil.rmtree(folder)
    shutil.rmtree(other)


def test_local_relay_without_tls():
    s = Server(password=None)
    lab = NotifyLab(f"  - {{name: relay, mail: [root@localhost.localdomain], from: k@lab, smtp: 'smtp://127.0.0.1:{s.port}', "
                    "starttls: no}\n").start()
    lab.submit("a", "trials=1 ms=1")
    s.wait(1)
    lab.end()
    s.end()


def test_job_by_hand():
    """`kexsect job notify FILE` takes nothing that could be a second header or recipient, and says so."""
    folder = tempfile.mkdtemp(prefix="kexsect-test-")
    good = {"id": "msg_1", "message": {"type": "test", "title": "t", "text": "x", "time_us": 1}}
    way = {"to": ["a@b"], "from": "k@l", "smtp": f"smtp://127.0.0.1:{free_port()}", "starttls": False}
    for change, status, words in (({"mail": {**way, "to": ["a@b\r\nRCPT TO:<c@d>"]}}, 1, "addresses"),
                                  ({"mail": {**way, "from": "k@l>\r\nX: y"}}, 1, "addresses"),
                                  ({"mail": {**way, "smtp": "file:///etc/passwd"}}, 1, "smtp"),
                                  ({"webhook": {"url": "file:///etc/passwd"}}, 1, "https"),
                                  ({"mail": way}, 1, "onnect"), ({}, 2, "wanted"),
                                  ({"mail": way, "webhook": {"url": "http://x"}}, 2, "wanted")):
        path = folder + "/request.json"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(good | change, f)
        run = subprocess.run([KEXSECT, "job", "notify", path], capture_output=True, text=True, timeout=60, check=False)
        assert run.returncode == status and words in run.stdout + run.stderr, (change, run)
        if status == 1:
            with open(folder + "/receipt.json", encoding="utf-8") as f:
                assert json.load(f) == json.loads(run.stdout)
    with open(path, "wb") as f:
        f.write(b'{"id": "\xff\xfe"}')
    assert subprocess.run([KEXSECT, "job", "notify", path], capture_output=True, check=False).returncode == 2
    shutil.rmtree(folder)


if __name__ == "__main__":
    warnings.simplefilter("ignore")     # a server without TLS is what some tests want
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)
    run_all(globals())
