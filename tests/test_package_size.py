"""The count of lines by kind."""

from benchmarks.package_size import size

TEXT = '''"""Module
in two lines."""

# A comment
x = 1  # of code


def f():
    """One line."""
    return """
text"""
'''


def test_each_line_is_of_one_kind():
    assert size(TEXT) == {"code": 4, "docstrings": 3, "comments": 1, "blank": 3}
    assert size(TEXT).total() == len(TEXT.splitlines())
