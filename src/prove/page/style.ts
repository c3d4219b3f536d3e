// How a page looks: light and dark by what the reader's system says, narrow screens, and paper.

/** The one style sheet. Its hash stands in the page's Content-Security-Policy, so it is written once, as it is. */
export const STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d5dae0;--band:#f5f7f9;
--good:#116329;--good-band:#dcf3e1;--bad:#a40e26;--bad-band:#ffdfdf;--warn:#7a4d00;--warn-band:#fff1c9;--mark:#0b5cad}
@media (prefers-color-scheme:dark){:root{--paper:#14171b;--ink:#e4e8ec;--soft:#9aa4af;--line:#353c45;--band:#1c2127;
--good:#7ad994;--good-band:#153321;--bad:#ff9a9a;--bad-band:#4b1a20;--warn:#f0c35a;--warn-band:#3b2f10;--mark:#78b5f5}}
*{box-sizing:border-box}
html{font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;background:var(--paper);color:var(--ink)}
body{margin:0 auto;padding:1.5rem clamp(1rem,3vw,2.5rem) 4rem;max-width:80rem;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.2;margin:0}
h2{font-size:1.3rem;margin:0;display:flex;gap:.75rem;align-items:center;flex-wrap:wrap}
h3{font-size:1rem;margin:1.75rem 0 .5rem}
p{margin:.4rem 0}
a{color:var(--mark)}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em}
pre{margin:.3rem 0;padding:.7rem .9rem;background:var(--band);border:1px solid var(--line);border-radius:6px;white-space:pre-wrap}
header{display:flex;gap:1rem;align-items:center;flex-wrap:wrap;margin-bottom:1rem}
header p{flex-basis:100%;margin:0;color:var(--soft)}
section{margin-top:2.5rem;border-top:2px solid var(--line);padding-top:1.25rem}
.lead{margin:.5rem 0 1rem}
.badge{display:inline-block;padding:.1em .65em;border-radius:1em;font-size:.82rem;font-weight:650;line-height:1.5;white-space:nowrap;border:1px solid currentColor}
h1+.badge{font-size:1rem}
.held{color:var(--good);background:var(--good-band)}
.broken{color:var(--bad);background:var(--bad-band)}
.noisy,.not-shown{color:var(--warn);background:var(--warn-band)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.25rem;margin:0 0 1.5rem}
dt{color:var(--soft)}
dd{margin:0}
dl.figures{display:flex;flex-wrap:wrap;gap:.5rem;margin:.75rem 0}
dl.figures div{padding:.35rem .75rem;background:var(--band);border:1px solid var(--line);border-radius:6px}
dl.figures dt{font-size:.78rem}
dl.figures dd{font-size:1.05rem;font-weight:600;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:.5rem 0}
.scroll:focus-visible{outline:2px solid var(--mark)}
table{border-collapse:collapse;width:100%}
caption{text-align:left;font-weight:650;padding:0 0 .4rem}
th,td{padding:.4rem .65rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{border-bottom:2px solid var(--line);color:var(--soft);font-weight:600;font-size:.85rem}
th,td{unicode-bidi:isolate;overflow-wrap:break-word}
.matrix th{overflow-wrap:anywhere}
.b{overflow-wrap:anywhere}
.s{white-space:pre-line}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
thead .n,thead .w{white-space:normal;overflow-wrap:normal}
.u{font-weight:400}
.w,.w .s{white-space:nowrap}
.matrix{width:auto;font-size:.82rem}
.matrix thead th{vertical-align:bottom;padding:.25rem 0;border:0}
.matrix thead th span{writing-mode:vertical-rl;transform:rotate(180deg);white-space:nowrap;line-height:1.35rem;font-weight:500;max-height:19rem}
.matrix tbody th{position:sticky;left:0;z-index:1;background:var(--paper);font-weight:500;padding:.05rem .75rem .05rem 0;min-width:9rem;border:0}
.matrix td{padding:0;border:1px solid var(--paper);text-align:center;width:1.35rem;min-width:1.35rem;height:1.35rem;line-height:1.3rem}
.matrix tr:hover td,.matrix tr:hover th{border-bottom-color:var(--mark)}
.h{color:var(--good);background:var(--good-band)}
.x{color:#fff;background:#b3122b;font-weight:800}
.t{color:var(--warn);background:var(--warn-band);font-weight:700}
.o{color:var(--soft)}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;color:var(--soft);font-size:.85rem;margin:.4rem 0;padding:0;list-style:none}
.legend b{display:inline-block;width:1.35rem;text-align:center;border-radius:3px;margin-right:.35rem}
figure{margin:.5rem 0 1rem}
figcaption{font-weight:650;margin-bottom:.3rem}
svg{width:100%;max-width:54rem;height:auto;display:block}
svg text{font:12px system-ui,sans-serif;fill:var(--ink)}
svg .soft{fill:var(--soft)}
svg .axis{stroke:var(--line)}
svg .bar{fill:var(--mark)}
svg .over{fill:var(--bad)}
svg .at{stroke:var(--soft);stroke-dasharray:3 3}
svg .limit{stroke:var(--bad);stroke-width:2}
svg .limit-name{fill:var(--bad);font-weight:650}
footer{margin-top:3rem;border-top:1px solid var(--line);padding-top:1rem;color:var(--soft);font-size:.85rem}
.away{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@media (max-width:44rem){dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.4rem}dl.figures dd{margin:0}
.stack,.stack tbody,.stack tr,.stack td{display:block;width:100%}.stack thead{position:absolute;clip-path:inset(50%);height:1px;overflow:hidden}
.stack tr{border-bottom:1px solid var(--line);padding:.5rem 0}.stack td{border:0;padding:.1rem 0;text-align:left;white-space:normal}
.stack td[data-name]::before{content:attr(data-name) ": ";color:var(--soft)}.matrix tbody th{min-width:7rem;max-width:9rem;white-space:normal}}
@page{margin:14mm}
@page wide{size:A4 landscape;margin:10mm}
@media print{html{font-size:11px}body{padding:0;max-width:none}a{color:inherit;text-decoration:none}
.scroll{overflow:visible}.matrix-page{page:wide}.matrix{font-size:8px}.matrix td{width:3.4mm;min-width:0;height:3.4mm;line-height:3.2mm}
.matrix tbody th{position:static;min-width:0}.matrix thead th span{line-height:3.4mm}
tr,figure,pre,dl{break-inside:avoid}h2,h3,caption{break-after:avoid}.badge,.h,.x,.t,pre{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
`;
