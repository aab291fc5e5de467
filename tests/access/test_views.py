from tests.factories import make_client, make_member, make_user
from webapp.access.models import Role
def test_smoke(browse, sign_in):
    client = make_client()
    admin = make_member(client, Role.ADMIN)
    b = sign_in(admin)
    for path in ("/account", "/users", "/client", "/sign-in", "/", "/intake", "/reviews", "/nonono"):
        r = b.get(path)
        print(path, r.status_code, r.headers.get("location"), len(r.text))
        if r.status_code==500: print(r.text[-500:])
    r=b.submit("/account", {"do":"profile","name":"Xaver","time_zone":"Europe/Berlin"})
    print(r.status_code, b.get("/account").text.count("Xaver"))
    print(browse.get("/").headers, browse.get("/sign-in").status_code)
    assert 0
