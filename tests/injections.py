"""Texts that would run a script, load something or break out of their element if a place forgot to escape.

A script that runs says so in the document's title.
"""

from __future__ import annotations

INJECTIONS = (
    "<script>document.title='pwned'</script>",
    "</script><script>document.title='pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\">",
    "<svg onload=\"document.title='pwned'\">",
    "<svg><script>document.title='pwned'</script></svg>",
    "<body onload=\"document.title='pwned'\">",
    "<iframe srcdoc=\"<script>parent.document.title='pwned'</script>\"></iframe>",
    "<iframe src=\"javascript:parent.document.title='pwned'\"></iframe>",
    "<a href=\"javascript:document.title='pwned'\" autofocus onfocus=\"document.title='pwned'\">x</a>",
    "<details open ontoggle=\"document.title='pwned'\">",
    "<input autofocus onfocus=\"document.title='pwned'\">",
    "<select autofocus onfocus=\"document.title='pwned'\">",
    "<video><source onerror=\"document.title='pwned'\"></video>",
    "<math><mtext><script>document.title='pwned'</script></mtext></math>",
    "<object data=\"javascript:document.title='pwned'\"></object>",
    "<embed src=\"javascript:document.title='pwned'\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:document.title='pwned'\">",
    '<meta http-equiv="refresh" content="0;url=https://attacker.example/">',
    '<base href="https://attacker.example/">',
    '<link rel=stylesheet href="https://attacker.example/x.css">',
    "<style>*{display:none}</style>",
    "<form action=https://attacker.example/><button autofocus>Approve</button></form>",
    '"><script>document.title="pwned"</script>',
    "'><script>document.title='pwned'</script>",
    '" autofocus onfocus="document.title=\'pwned\'" x="',
    "</textarea><script>document.title='pwned'</script>",
    "</pre></code></td></tr></table><script>document.title='pwned'</script>",
    "</title><script>document.title='pwned'</script>",
    "</details></main><h1>Approved</h1><!--",
    "<!--<script>document.title='pwned'</script>",
    "<![CDATA[<script>document.title='pwned'</script>]]>",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "&lt;script&gt;document.title='pwned'&lt;/script&gt;",
    "\u202e<script>document.title='pwned'</script>\u2066",
    "\x1b[31m<script>document.title='pwned'</script>\x1b[0m",
    "<scr\x00ipt>document.title='pwned'</scr\x00ipt>",
    "javascript:document.title='pwned'",
    "\udcff<script>document.title='pwned'</script>",
)
