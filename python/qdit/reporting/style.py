"""The style of the page: system fonts, light and dark by the reader's setting, no scripts."""

CSS = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --text: #1f2328; --muted: #57606a;
  --line: #dfe3e8; --accent: #b43a08; --code: #f0f2f5; --good: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1216; --card: #171b21; --text: #e6e8eb;
  --muted: #a3abb5; --line: #2d343d; --accent: #fb923c; --code: #20262e; --good: #56d364; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--text); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.5rem; }
footer { padding-top: 1rem; padding-bottom: 3rem; color: var(--muted); font-size: .875rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em;
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .5rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .5rem 0; max-width: 46rem; }
.lead { color: var(--muted); }
a { color: var(--accent); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--accent);
  outline-offset: 2px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; padding: 0; margin: 1rem 0; }
section, .tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
section { padding: 1.25rem 1.4rem 1.4rem; margin: 1.1rem 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem;
  margin: 1.2rem 0; padding: 0; }
.tile { padding: .8rem 1rem; margin: 0; }
.tile dt { color: var(--muted); font-size: .84rem; }
.tile dd { margin: 0; }
.tile .value { font-size: 1.55rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.25; }
.tile .beside { color: var(--muted); font-size: .84rem; }
figure { margin: 1.1rem 0 0; }
figure img { display: block; width: 100%; height: auto; border-radius: 4px; }
figcaption { color: var(--muted); font-size: .9rem; margin-top: .5rem; max-width: 46rem; }
.scroll { overflow-x: auto; }
* + .scroll { margin-top: .9rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); padding-bottom: .4rem; }
th, td { text-align: left; padding: .38rem .8rem .38rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { font-weight: 600; }
td { overflow-wrap: anywhere; min-width: 6.5rem; }
td.number, th.number { text-align: right; white-space: nowrap; overflow-wrap: normal;
  min-width: 0; }
code, .hash { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
details { margin-top: .9rem; }
summary { cursor: pointer; color: var(--muted); }
.note { border-left: 3px solid var(--accent); padding: .1rem 0 .1rem .8rem; color: var(--muted); }
.row { border: 1px solid var(--line); border-radius: 6px; margin: .6rem 0; padding: .6rem .8rem;
  background: var(--code); }
.row .where { color: var(--muted); font-size: .82rem; overflow-wrap: anywhere; }
.row .text { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .92rem; margin: .2rem 0 0;
  unicode-bidi: isolate; }
.row .role { color: var(--muted); font-size: .78rem; text-transform: uppercase; letter-spacing: .04em;
  margin-top: .4rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 .8rem; }
.region { border-top: 1px solid var(--line); margin-top: 1.2rem; }
.region:first-of-type { border-top: 0; }
@media print { body { background: #fff; } section, .tile { break-inside: avoid; } }
"""
