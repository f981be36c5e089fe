"""What one request costs is told alike, however it was kept."""

from zena.kit.tally import REPEATED, Tally


def test_a_tally_tells_the_same_of_few_statements_as_of_many() -> None:
    few, many = Tally(), Tally()
    for _ in range(3):
        few.query("SELECT 1", 0.001)
    for number in range(REPEATED * 20):
        many.query("SELECT 1" if number % 2 else f"SELECT {number % 50}", 0.001)
    many.query("SELECT 2", 0.2)
    assert (few.queries, round(few.database, 6), few.statements["SELECT 1"].times) == (3, 0.003, 3)
    assert (many.queries, round(many.database, 6)) == (REPEATED * 20 + 1, 0.4)
    assert sum(sent.times for sent in many.statements.values()) == many.queries
    assert many.statements["SELECT 1"].times == REPEATED * 10
