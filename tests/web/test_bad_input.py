"""Whatever is sent, the answer is a page that says what is wrong, never a 500."""

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.architecture.test_routes import address
from tests.factories import make_client, make_member
from webapp.access.models import Role

ID = "01a1f8d1-f51a-7145-9ccb-baae807e84c7"


@pytest.fixture
def browser(sign_in, in_app):
    return sign_in(make_member(make_client(), Role.ADMIN))


def is_a_page(answer):
    return "data-notice" in answer.text and "<html" in answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing/here", 404),
        ("/products/not-a-uuid", 404),
        (f"/products/{ID}", 404),
        (f"/products/{ID}%00", 400),
        ("/products/" + "9" * 5000, 404),
        (f"/photos/{ID}/huge", 404),
        (f"/photos/{ID}/thumb", 404),
        (f"/runs/{ID}/live?after=99999999999999999999999", None),
        ("/static/../webapp/config.py", 404),
        ("/static/%2e%2e/webapp/config.py", 404),
        ("/static/css", 404),
        ("/static/" + "9" * 400, 404),
        ("/static/css/" + "9" * 5000, 404),
        ("/static/vendor/../../package.json", 404),
        ("/%00", 400),
        ("/?scope=%00", 400),
        ("/?scope=%ff%fe", None),
        ("/?scope=all&scope=mine&state=%F0%9F%92%A9", None),
        ("/?before=not-a-cursor", None),
        (f"/?before={'9' * 5000}", None),
        ("/?" + "a=b&" * 3000, None),
        ("/sign-in?next=%ff", None),
        ("/%ff%fe", 404),
        ("//", None),
    ],
)
def test_strange_addresses(browser, path, status):
    answer = browser.get(path)
    assert answer.status_code < 500
    if status:
        assert answer.status_code == status
        assert is_a_page(answer)


@pytest.mark.parametrize("query", ["a=\xff", "\xff\xfe", "next=/\xe2", "\xff=%00"])
def test_bytes_in_the_address_that_are_no_text(app, browser, query):
    for path in ("/", "/sign-in", "/nothing", "/static/css/base.css"):
        for who in (browser, app.test_client()):
            answer = who.get(path, environ_overrides={"QUERY_STRING": query})
            assert answer.status_code == 400, path
            assert is_a_page(answer)


@pytest.mark.parametrize("name", ["name", "email", "user_id", "role", "do", "csrf_token", "\0"])
@pytest.mark.parametrize("value", ["\0", "a\0b", "\ud800".encode("utf-8", "surrogatepass"), b"\xff\xfe", "9" * 100_000])
def test_strange_form_fields(browser, name, value):
    data = {"csrf_token": browser.form_token(), "do": "add", "name": "X", "email": "x@example.com", "role": "staff"}
    answer = browser.post("/users", data=data | {name: value})
    assert answer.status_code < 500


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"--x\r\nContent-Disposition: form-data; name=", "multipart/form-data; boundary=x"),
        (b"no boundary at all", "multipart/form-data"),
        (b"--x\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nnameless\r\n--x--", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nb\r\n--x--', "multipart/form-data; boundary=x"),
        (b"--x--", 'multipart/form-data; boundary="' + "y" * 3000 + '"'),
        (b"\xff\xfe=\xff", "application/x-www-form-urlencoded"),
        (b"a=%zz&%=%", "application/x-www-form-urlencoded; charset=utf-7"),
        (b'{"a": 1}', "application/json"),
        (b"", ""),
        (b"x" * 10, "nonsense"),
    ],
)
def test_strange_bodies(browser, body, kind):
    for path in ("/users", "/account", "/intake", "/sign-in"):
        answer = browser.post(path, data=body, content_type=kind, headers={"X-CSRFToken": browser.form_token()})
        assert answer.status_code < 500, path


def test_too_many_fields_and_too_long_fields(browser):
    token = browser.form_token()
    many = {f"field{number}": (io.BytesIO(b"x"), "x") for number in range(600)}
    assert browser.post("/users", data=many | {"csrf_token": token}).status_code == 413
    assert browser.post("/users", data={"name": "x" * 3_000_000, "csrf_token": token}).status_code == 413
    both = {"name": "x" * 1_500_000, "csrf_token": token, "file": (io.BytesIO(b"x"), "x")}
    assert browser.post("/users", data=both).status_code == 413


def test_a_body_above_the_limit_is_not_read(app, browser):
    answer = browser.post(
        "/intake",
        content_type="multipart/form-data; boundary=x",
        headers={"X-CSRFToken": browser.form_token()},
        environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": str(200 * 1024 * 1024)},
    )
    assert answer.status_code == 413
    assert "up to 160 MB" in answer.text
    assert "Back to upload" in answer.text


def test_what_is_too_large_is_told_where_it_was_sent(browser):
    token = browser.form_token()
    offers = browser.post("/offers", data={"csrf_token": token, "file": (io.BytesIO(b"x" * 3_000_000), "offers.csv")})
    assert offers.status_code == 413
    assert "up to 2 MB" in offers.text
    assert "import-offers" in offers.text
    assert 'href="/offers">Back to offers' in offers.text
    assert "photo" not in offers.text.split('class="wrong"')[1].split("</main>")[0]
    users = browser.post("/users", data={"name": "x" * 3_000_000, "csrf_token": token})
    assert users.status_code == 413
    assert "Back to upload" not in users.text
    assert "Go to the desk" in users.text


def test_a_strangers_body_is_not_read(browse):
    answer = browse.post("/intake", environ_overrides={"wsgi.input": Unread(), "CONTENT_LENGTH": "1000"})
    assert answer.location == "/sign-in"


class Unread(io.RawIOBase):
    """A body that nobody may touch."""

    def readable(self):
        return True

    def readinto(self, _buffer):
        raise AssertionError("the body was read")


@pytest.mark.parametrize("length", ["abc", "-1", "1e3", "99999999999999999999", ""])
def test_a_broken_content_length(browser, length):
    answer = browser.post("/users", input_stream=io.BytesIO(b"do=add"), environ_overrides={"CONTENT_LENGTH": length})
    assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "=;;;=,;\xff"},
        {"Cookie": "a=" + "b" * 8000},
        {"Host": 'evil" onload=x'},
        {"Host": "a" * 300},
        {"User-Agent": "\xff\xfe\x01"},
        {"X-Forwarded-For": "not an address", "X-Forwarded-Host": "evil.example"},
        {"HX-Request": "true", "HX-Current-URL": "http://[broken"},
        {"HX-Request": "true", "HX-Current-URL": "\xff"},
        {"Accept-Language": "x" * 500 + ";q=99"},
        {"Range": "bytes=5-1,abc"},
        {"If-Modified-Since": "never"},
        {"Upgrade": "websocket"},
    ],
)
def test_strange_headers(app, headers):
    browser = app.test_client(use_cookies=False)
    for path in ("/", "/sign-in", "/static/css/base.css", "/live?topic=x", "/nothing"):
        assert browser.get(path, headers=headers).status_code < 500, path


def test_a_page_cookie_that_somebody_made_up_is_no_session(app, browse):
    for made_up in ("x", "eyJhIjoxfQ.aaaa.bbbb", "." * 500):
        browse.set_cookie(app.config["SESSION_COOKIE_NAME"], made_up)
        assert browse.get("/sign-in").status_code == 200


def test_methods_that_a_route_does_not_have(app, browser):
    for rule in app.url_map.iter_rules():
        for method in {"PUT", "DELETE", "PATCH", "TRACE"} - rule.methods:
            if not rule.websocket:
                answer = browser.open(address(app, rule), method=method)
                assert answer.status_code == 405
                assert "Allow" in answer.headers


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/", "/sign-in", "/live/desk", "/reviews", f"/runs/{ID}/live", f"/products/{ID}"]),
    query=st.dictionaries(
        st.sampled_from(["scope", "state", "before", "after", "next", "topic", "run", "v", "email"]),
        st.binary(max_size=40),
    ),
)
def test_any_query(browser, path, query):
    assert browser.get(path, query_string=query).status_code < 500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/account", "/users", "/client", "/client/switch", f"/reviews/{ID}/decision", "/sign-in"]),
    form=st.dictionaries(
        st.sampled_from(
            ["do", "name", "email", "role", "user_id", "session_id", "threshold", "client_id", "time_zone", "next"]
        ),
        st.one_of(st.text(max_size=30), st.sampled_from(["add", "role", "remove", "link", "profile", "revoke", ID])),
    ),
)
def test_any_form(browser, path, form):
    token = {"csrf_token": browser.form_token()}
    assert browser.post(path, data=token | {k: v.encode("utf-8", "replace") for k, v in form.items()}).status_code < 500
