import pytest

from depot import api, feed, stock


@pytest.mark.parametrize(("unit", "kilograms"), [("kg", 1.0), ("g", 0.001)])
def test_factor(unit, kilograms):
    assert stock.factor(unit) == kilograms


def test_bins():
    assert stock.bin_of("bolt") == "a1"
    assert stock.bin_of("x-1") == "hall"


def test_stock():
    items = stock.Stock([stock.Item("bolt", 2)])
    assert items.item("bolt").count == 2
    assert items.first().sku == "bolt"


def test_heavy_loads_are_refused():
    with pytest.raises(ValueError, match="too heavy"):
        stock.load(stock.Item("anvil", 1, 31.0))


def test_load():
    assert stock.load(stock.Item("bolt", 2, 0.5)) == 1.0


def test_note():
    assert stock.note_text(stock.Item("bolt", 1, note="dry")) == "DRY"


def test_feed():
    assert feed.rows(["bolt,2"]) == [("bolt", 2)]
    assert feed.progress(1, 4) == 25
    assert feed.mean([1, 3]) == 2
    assert feed.cells(["a", "b"]) == "a,b"


def test_messages():
    assert feed.priority({"priority": "high"}) == "high"
    assert feed.parse("{}") == {}


def test_api():
    assert api.handle({"body": '{"sku": "bolt"}'})["statusCode"] == 200
    assert api.handle({"body": "{}"})["statusCode"] == 400
