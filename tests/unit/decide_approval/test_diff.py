"""The diff as rows: nothing of a patch is hidden, whatever it claims to be."""

from __future__ import annotations

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.decide_approval import diff
from functions.decide_approval.diff import FileDiff

TWO_FILES = '''\
diff --git a/orders/shipping.py b/orders/shipping.py
index 1111111..2222222 100644
--- a/orders/shipping.py
+++ b/orders/shipping.py
@@ -1,4 +1,5 @@ def rate():
 a = 1
-b = """two
+b = """three
+more
 lines"""
 c = 4
@@ -20 +21 @@
-old
+new
\\ No newline at end of file
diff --git a/tests/test_new.py b/tests/test_new.py
new file mode 100644
index 0000000..3333333
--- /dev/null
+++ b/tests/test_new.py
@@ -0,0 +1,2 @@
+import pytest
+-- not a header
'''


def shown(file: FileDiff) -> list[tuple[str, int | None, int | None, str]]:
    return [(row.kind, row.old, row.new, row.code.striptags()) for row in file.rows]


def test_files_hunks_and_line_numbers() -> None:
    changed, created = diff.parse(TWO_FILES)
    assert (changed.path, changed.added, changed.removed) == ("orders/shipping.py", 3, 2)
    assert [(kind, old, new) for kind, old, new, _ in shown(changed)] == [
        ("h", None, None),
        ("c", 1, 1),
        ("r", 2, None),
        ("a", None, 2),
        ("a", None, 3),
        ("c", 3, 4),
        ("c", 4, 5),
        ("h", None, None),
        ("r", 20, None),
        ("a", None, 21),
        ("m", None, None),
    ]
    assert (created.path, created.new_file, created.added) == ("tests/test_new.py", True, 2)
    assert shown(created)[-1] == ("a", None, 2, "-- not a header")


def test_a_string_over_several_lines_is_coloured_on_each() -> None:
    changed, _ = diff.parse(TWO_FILES)
    assert [str(row.code) for row in changed.rows][3:6] == [
        'b = <span class="s">&#34;&#34;&#34;<mark>three</mark></span>',
        '<span class="s">more</span>',
        '<span class="s">lines&#34;&#34;&#34;</span>',
    ]


@pytest.mark.parametrize(
    ("header", "visible"),
    [
        ("old mode 100644\nnew mode 100755", ["old mode 100644", "new mode 100755"]),
        ("similarity index 90%\nrename from a.py\nrename to b.py", ["rename from a.py", "rename to b.py"]),
        ("new file mode 120000", ["new file mode 120000"]),
        ("deleted file mode 100644", ["deleted file mode 100644"]),
        ("index 1111111..2222222 120000", ["index 1111111..2222222 120000"]),
        ("Binary files a/x and b/x differ", ["Binary files a/x and b/x differ"]),
    ],
)
def test_what_the_heading_does_not_say_stays_visible(header: str, visible: list[str]) -> None:
    (file,) = diff.parse(f"diff --git a/x b/x\n{header}\n")
    lines = [text for _, _, _, text in shown(file)]
    assert set(visible) <= set(lines)


def test_a_deleted_file_is_named() -> None:
    header = "diff --git a/x.py b/x.py\ndeleted file mode 100644\n--- a/x.py\n+++ /dev/null\n"
    (file,) = diff.parse(f"{header}@@ -1 +0,0 @@\n-a = 1\n")
    assert (file.path, file.deleted, file.removed) == ("x.py", True, 1)


def test_a_header_that_lies_does_not_turn_the_next_file_into_code() -> None:
    lying = TWO_FILES.replace("@@ -20 +21 @@", "@@ -20,90 +21,90 @@")
    assert [file.path for file in diff.parse(lying)] == ["orders/shipping.py", "tests/test_new.py"]


def test_lines_beyond_what_a_header_says_are_shown() -> None:
    short = TWO_FILES.replace("@@ -1,4 +1,5 @@ def rate():", "@@ -1,1 +1,1 @@")
    text = "\n".join(text for file in diff.parse(short) for _, _, _, text in shown(file))
    for line in ("a = 1", 'b = """two', 'b = """three', "more", "c = 4"):
        assert line in text


def test_code_that_looks_like_a_header_stays_code() -> None:
    tricky = "--- a/x.py\n+++ b/x.py\n@@ -1,2 +1,2 @@\n--- a/other.py\n+++ b/other.py\n diff --git a/y b/y\n"
    (file,) = diff.parse(tricky)
    assert [kind for kind, *_ in shown(file)] == ["h", "r", "a", "c"]


def test_a_patch_of_thousands_of_lines_is_shown_without_colours() -> None:
    body = "".join(f"+value_{number} = None\n" for number in range(4_000))
    (file,) = diff.parse(f"--- /dev/null\n+++ b/x.py\n@@ -0,0 +1,4000 @@\n{body}")
    assert file.added == 4_000
    assert not [row for row in file.rows if "<" in row.code]


_LINES = st.lists(
    st.sampled_from(
        ["diff --git a/x b/y", "--- a/x", "+++ b/x", "@@ -1,2 +1,2 @@", "@@ -0,0 +1 @@", "index 1..2", ""]
    )
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12).map(lambda text: f"+{text}")
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12),
    max_size=25,
)


_SIGNS = {"a": "+", "r": "-", "c": " ", "h": "", "m": ""}


@given(_LINES)
def test_every_line_of_any_text_is_shown_in_order_or_said_by_a_heading(lines: list[str]) -> None:
    rows = [row for file in diff.parse("\n".join(lines)) for row in file.rows]
    shown = [_SIGNS[row.kind] + unescape(re.sub("</?span[^>]*>", "", row.code)) for row in rows]
    for line in lines:
        if shown and shown[0].rstrip() == line.rstrip():
            shown.pop(0)
        else:
            assert not line or line.startswith(("diff --git ", "index ", "--- ", "+++ ")), line
    assert not [text for text in shown if text.strip()]
