"""Texts that are kept as long as what they were made from is the same."""

from webapp.lib.kept import Kept


def test_a_text_is_made_once_for_equal_inputs_and_anew_for_others():
    kept, made = Kept("texts", 1000), []

    def make():
        made.append(1)
        return f"text {len(made)}"

    assert [kept.get("row", (1, "a"), make) for _ in range(3)] == ["text 1"] * 3
    assert kept.get("row", (2, "a"), make) == "text 2"
    assert kept.get("row", (1, "a"), make) == "text 3"
    assert kept.get("other", (1, "a"), make) == "text 4"


def test_what_was_not_asked_for_longest_goes_first_and_the_size_stays_bounded():
    kept = Kept("texts", 30)
    for name in "abc":
        kept.get(name, (), lambda: "x" * 10)
    kept.get("a", (), lambda: "new")  # asked for again
    kept.get("d", (), lambda: "x" * 10)
    assert kept.get("a", (), lambda: "new") == "x" * 10
    assert kept.get("b", (), lambda: "new") == "new"


def test_a_text_larger_than_everything_is_given_all_the_same():
    kept = Kept("texts", 5)
    assert kept.get("a", (), lambda: "x" * 50) == "x" * 50


def test_what_was_there_and_what_was_not_is_counted_since_the_last_question():
    kept = Kept("texts", 1000)
    for inputs in (1, 1, 2):
        kept.get("a", inputs, lambda: "text")
    assert kept.take_counts() == (1, 2)
    assert kept.take_counts() == (0, 0)
