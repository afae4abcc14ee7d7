"""Strangers' Markdown made fit for a page."""

from __future__ import annotations

import pytest

from infra.local.forge.markup import markdown


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**b** `c`", "<p><strong>b</strong> <code>c</code></p>\n"),
        ("`tests_kept(<b>)`", "<code>tests_<wbr>kept(<wbr>&lt;b&gt;)</code>"),
        ("`ZeroDivisionError`", "<code>Zero<wbr>Division<wbr>Error</code>"),
        (f"`{'x' * 26}`", f"<code>{'x' * 24}<wbr>x<wbr>x</code>"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("<script>\nx\n</script>", "<p>&lt;script&gt;\nx\n&lt;/script&gt;</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](data:text/html,x)", "<p>[x](data:text/html,x)</p>\n"),
        ("<javascript:alert(1)>", "<p>&lt;javascript:alert(1)&gt;</p>\n"),
        ("![i](http://e/x.png)", '<p>!<a href="http://e/x.png">i</a></p>\n'),
        ('[x](/y "a\\"><script>")', '<p><a href="/y" title="a&quot;&gt;&lt;script&gt;">x</a></p>\n'),
        (
            '```"><script>\nx\n```',
            '<pre tabindex="0"><code class="language-&quot;&gt;&lt;script&gt;">x\n</code></pre>\n',
        ),
        ("|a|\n|-|\n|<i>|", "<td>&lt;i&gt;</td>"),
        ("a\n\n<!-- hidden -->\n\nb", "<p>a</p>\n<p>b</p>\n"),
        ("a\n<!-- hidden\nstill -->\nb", "<p>a</p>\n<p>b</p>\n"),
        ("<!-- shown --> after", "<p>&lt;!-- shown --&gt; after</p>\n"),
        ("<!-- never closed", "<p>&lt;!-- never closed</p>\n"),
        ("```\n<!-- code -->\n```", '<pre tabindex="0"><code>&lt;!-- code --&gt;\n</code></pre>\n'),
        (
            "<details><summary>a & b</summary>\n\nx\n\n</details>",
            "<details><summary>a &amp; b</summary><p>x</p>\n</details>",
        ),
        ("<details open onclick=x>", "<p>&lt;details open onclick=x&gt;</p>\n"),
        ("<summary><b>x</b></summary>", "<p>&lt;summary&gt;&lt;b&gt;x&lt;/b&gt;&lt;/summary&gt;</p>\n"),
        ("```\n</details>\n```", '<pre tabindex="0"><code>&lt;/details&gt;\n</code></pre>\n'),
        ("    <!-- code -->", '<pre tabindex="0"><code>&lt;!-- code --&gt;\n</code></pre>\n'),
    ],
)
def test_markdown(text: str, html: str) -> None:
    assert html in markdown(text)
