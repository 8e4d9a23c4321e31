"""The points that need no random generator."""

from itertools import islice

from app.demo.halton import points_from, points_inside, radical_inverse


def test_the_sequence_mirrors_the_digits_of_the_index() -> None:
    assert [radical_inverse(index, 2) for index in range(1, 5)] == [0.5, 0.25, 0.75, 0.125]
    assert radical_inverse(5, 3) == 2 / 3 + 1 / 9


def test_points_fill_the_square_evenly() -> None:
    points = list(islice(points_from(100), 900))
    for column in range(3):
        for row in range(3):
            held = sum(int(x * 3) == column and int(y * 3) == row for x, y in points)
            assert 95 <= held <= 105


def test_only_points_inside_the_shape_are_given() -> None:
    def contains(lon: float, lat: float) -> bool:
        return lon + lat < 141

    box = (104.0, 36.0, 105.0, 37.0)
    places = list(islice(points_inside(7, box, contains), 100))
    assert all(contains(*place) and 104 <= place[0] <= 105 for place in places)
    assert len(set(places)) == 100
    assert places == list(islice(points_inside(7, box, contains), 100))
