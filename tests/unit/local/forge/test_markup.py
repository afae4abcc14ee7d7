"""Strangers' text made fit for a page."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup

from infra.local.forge.git import ChangedFile
from infra.local.forge.markup import MAX_DIFF_LINES, coloured, file_diff, markdown, visible


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**b** `c`", "<p><strong>b</strong> <code>c</code></p>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("<script>\nx\n</script>", "<p>&lt;script&gt;\nx\n&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](data:text/html,x)", "<p>[x](data:text/html,x)</p>\n"),
        ("<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>\n"),
        ("![i](http://e/x.png)", '<p>!<a href="http://e/x.png">i</a></p>\n'),
        ('[x](/y "a\\"><script>")', '<p><a href="/y" title="a&quot;&gt;&lt;script&gt;">x</a></p>\n'),
        ('```"><script>\nx\n```', '<pre><code class="language-&quot;&gt;&lt;script&gt;">x\n</code></pre>\n'),
        ("|a|\n|-|\n|<i>|", "<td>&lt;i&gt;</td>"),
        ("a\n\n<!-- hidden -->\n\nb", "<p>a</p>\n<p>b</p>\n"),
        ("a\n<!-- hidden\nstill -->\nb", "<p>a</p>\n<p>b</p>\n"),
        ("<!-- shown --> after", "<p>&lt;!-- shown --&gt; after</p>\n"),
        ("<!-- never closed", "<p>&lt;!-- never closed</p>\n"),
        ("```\n<!-- code -->\n```", "<pre><code>&lt;!-- code --&gt;\n</code></pre>\n"),
        (
            "<details><summary>a & b</summary>\n\nx\n\n</details>",
            "<details><summary>a &amp; b</summary><p>x</p>\n</details>",
        ),
        ("<details open onclick=x>", "<p>&lt;details open onclick=x&gt;</p>\n"),
        ("<summary><b>x</b></summary>", "<p>&lt;summary&gt;&lt;b&gt;x&lt;/b&gt;&lt;/summary&gt;</p>\n"),
        ("```\n</details>\n```", "<pre><code>&lt;/details&gt;\n</code></pre>\n"),
        ("    <!-- code -->", "<pre><code>&lt;!-- code --&gt;\n</code></pre>\n"),
    ],
)
def test_markdown(text: str, html: str) -> None:
    assert html in markdown(text)


def test_text_cannot_hide_or_reorder_itself() -> None:
    assert visible("if a\u202e b\u2066\r\x1b[2J\x00:\t\n") == "if a⟨U+202E⟩ b⟨U+2066⟩␍␛[2J␀:\t\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", 'x = """\n<b>\n"""\r\n\n'),
        ("a.py", "\n\n  \nx"),
        ("a.py", ""),
        ("a.json", '{"a": [1,\n2]}\n'),
        ("no-such-language.zzz", "a\n<b>"),
        ("a.py", "x" * 3_000 + "\n<b>"),
        ("a.py", "x = 1\n" * 50_000),
        ("\x00'../<>", "a\x0c\nb"),
    ],
)
def test_colours_keep_every_line_in_its_place(path: str, text: str) -> None:
    lines = coloured(path, text)

    shown = [Markup(re.sub("<[^>]*>", "", line)).unescape() for line in lines]
    assert shown == visible(text).split("\n")
    assert not any("<b>" in line for line in lines)


def test_python_gets_its_colours_even_across_lines() -> None:
    lines = coloured("a.py", '"""one\ntwo"""\nreturn')

    assert [line.unescape() for line in lines] == [
        '<span class="sd">"""one</span>',
        '<span class="sd">two"""</span>',
        '<span class="k">return</span>',
    ]


def test_a_diff_s_lines_are_numbered_on_both_sides() -> None:
    patch = (
        "diff --git a/a.txt b/a.txt\nindex 1..2 100644\n--- a/a.txt\n+++ b/a.txt\n"
        "@@ -3,3 +3,4 @@ def <f>\n same\n-old\n+new\n+--- not a heading\n \n"
        "@@ -20 +21 @@\n-x\n\\ No newline at end of file\n+y\n"
    )

    diff = file_diff(ChangedFile("M", "a.txt", patch))

    assert (diff.change, diff.added, diff.deleted, diff.cut) == ("modified", 3, 2, 0)
    assert [(line.kind, line.old, line.new, str(line.html)) for line in diff.lines] == [
        ("note", None, None, "@@ -3,3 +3,4 @@ def &lt;f&gt;"),
        ("same", 3, 3, "same"),
        ("del", 4, None, "old"),
        ("add", None, 4, "new"),
        ("add", None, 5, "--- not a heading"),
        ("same", 5, 6, ""),
        ("note", None, None, "@@ -20 +21 @@"),
        ("del", 20, None, "x"),
        ("note", None, None, "No newline at end of file"),
        ("add", None, 21, "y"),
    ]


def test_files_without_lines_to_show() -> None:
    head = "diff --git a/a b/a\n"
    binary = file_diff(ChangedFile("M", "a", head + "Binary files a/a and b/a differ\n"))
    mode = file_diff(ChangedFile("M", "a", head + "old mode 100644\nnew mode 100755\n"))
    empty = file_diff(ChangedFile("A", "a", head + "new file mode 100644\nindex 0..e\n"))

    assert [str(line.html) for line in binary.lines] == ["Binary file"]
    assert mode.lines == empty.lines == ()


def test_a_long_diff_is_cut_and_says_so() -> None:
    total = MAX_DIFF_LINES + 500
    patch = f"diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -0,0 +1,{total} @@\n" + "+x\n" * total

    diff = file_diff(ChangedFile("A", "a", patch))

    assert (diff.added, len(diff.lines), diff.cut) == (total, MAX_DIFF_LINES, 501)
