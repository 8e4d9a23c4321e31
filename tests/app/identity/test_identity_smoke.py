def test_me(town):
    r = town.call("vl", "GET", "/auth/me")
    print(r.get_data(as_text=True)[:3000])
    assert r.status_code == 200
