/** How the report looks, by day and by night. No fonts, scripts or pictures from elsewhere. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2430; --soft: #5a6675; --rule: #dfe4ea;
  --high: #b8460e; --low: #22619f; --rain: #4f8fa6; --band: rgb(184 70 14 / 9%);
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2028; --ink: #e6eaf0; --soft: #9aa6b4; --rule: #2d3641;
    --high: #ff9d66; --low: #7db4f2; --rain: #5d9db5; --band: rgb(255 157 102 / 10%);
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 20px 56px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 0 0 12px; }
header p { margin: 4px 0 0; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 20px 24px; margin-top: 20px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); gap: 20px; margin: 24px 0 0; }
.figures div { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 16px 24px; }
dt { color: var(--soft); font-size: 14px; }
dd { margin: 2px 0 0; font-size: 24px; font-weight: 600; line-height: 1.25; }
dd.more { font-size: 14px; font-weight: 400; color: var(--soft); }
figure { margin: 0; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; }
.grid { stroke: var(--rule); }
.zero { stroke: var(--soft); }
.year { stroke: var(--rule); stroke-dasharray: 2 3; }
.tick { fill: var(--soft); }
.axis { fill: var(--ink); font-size: 13px; }
.line { fill: none; stroke-width: 2.25; stroke-linejoin: round; }
.line.high { stroke: var(--high); }
.line.low { stroke: var(--low); stroke-dasharray: 5 3; }
.label.high { fill: var(--high); }
.label.low { fill: var(--low); }
.band { fill: var(--band); }
.bar { fill: var(--rain); }
.target { fill: transparent; }
.target:hover { fill: var(--soft); fill-opacity: 0.14; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: 8px; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: top; }
th:first-child, .texts th, .texts td { text-align: left; }
tbody th { font-weight: 500; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
code { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
details { margin-top: 16px; }
summary { cursor: pointer; color: var(--low); }
summary:focus-visible { outline: 2px solid var(--low); outline-offset: 3px; }
footer { margin-top: 24px; color: var(--soft); font-size: 14px; }
`;
