/* The look of the pages: one style sheet, light and dark by the reader's setting, and the script that shows what a mark
 * stands for when it is pointed at. */
#include "jepsen/report_int.h"

static const char style[] =
        ":root{--bg:#f6f7f9;--card:#fff;--text:#1c2430;--soft:#5c6775;--line:#e3e7ec;--grid:#eceff3;--axis:#a9b3bf;"
        "--ok:#2f6fde;--fail:#9aa4b1;--info:#e08a00;--bad:#c62f3b;--good:#1f8a4c;--unsure:#b37400;"
        "--q50:#0e8c7f;--q95:#8a4fd3;--q99:#c62f6d;--tip:#1c2430;--tiptext:#f4f6f8;--in:#fff}\n"
        "@media(prefers-color-scheme:dark){:root{--bg:#12161c;--card:#1a2029;--text:#e4e9f0;--soft:#98a4b3;--line:#"
        "2b3440;"
        "--grid:#252d38;--axis:#566273;--ok:#6aa2ff;--fail:#748092;--info:#f2a93b;--bad:#ff6b74;--good:#4cc483;"
        "--unsure:#e8b04a;--q50:#3fd0bf;--q95:#b98cf5;--q99:#ff7fb0;--tip:#e4e9f0;--tiptext:#12161c;--in:#0d1117}}\n"
        "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);"
        "font:14px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','DejaVu Sans',sans-serif}\n"
        "main{max-width:1160px;margin:0 auto;padding:28px 20px 60px}h1{font-size:24px;margin:0;letter-spacing:-.01em}"
        "h2{font-size:16px;margin:0 0 4px}h3{font-size:15px;margin:0}p{margin:4px "
        "0}.note{color:var(--soft);font-size:13px}\n"
        "header{display:flex;flex-wrap:wrap;gap:14px;align-items:center;margin-bottom:18px}header "
        ".sub{color:var(--soft)}\n"
        ".badge{font-weight:650;border-radius:999px;padding:5px 14px;color:#fff;background:var(--soft);font-size:14px;"
        "margin-left:auto;text-transform:uppercase;letter-spacing:.05em}\n"
        ".badge.valid{background:#1f8a4c}.badge.invalid{background:#c62f3b}.badge.unknown{background:#9a6400}\n"
        ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(125px,1fr));gap:10px;margin-bottom:18px}"
        ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}"
        ".tile b{display:block;font-size:20px;font-weight:650;font-variant-numeric:tabular-nums}"
        ".tile span{color:var(--soft);font-size:12.5px}\n"
        "section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px "
        "18px;margin-bottom:16px}"
        "section.bad{border-color:var(--bad);border-left-width:4px}\n"
        "table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums}"
        "th{text-align:left;color:var(--soft);font-weight:550;border-bottom:1px solid var(--line);padding:5px 10px 5px "
        "0}"
        "td{border-bottom:1px solid var(--grid);padding:5px 10px 5px 0;vertical-align:top}tr:last-child "
        "td{border-bottom:0}"
        "td.n,th.n{text-align:right;padding-right:24px}a{color:var(--ok)}code{font:12px/1.45 "
        "ui-monospace,SFMono-Regular,Menlo,Consolas,"
        "'DejaVu Sans Mono',monospace;word-break:break-word}\n"
        ".wide{overflow-x:auto}.dot{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:7px}"
        ".dot.valid{background:var(--good)}.dot.invalid{background:var(--bad)}.dot.unknown{background:var(--unsure)}\n"
        ".v.valid{color:var(--good)}.v.invalid{color:var(--bad)}.v.unknown{color:var(--unsure)}.v{font-weight:600;"
        "white-space:nowrap}td.t,table.proof td:nth-child(-n+5){white-space:nowrap}\n"
        ".tag{display:inline-block;background:var(--bad);color:var(--in);border-radius:5px;padding:1px "
        "8px;font-weight:650;"
        "font-size:13px;margin-right:8px}\n"
        ".legend{display:flex;flex-wrap:wrap;gap:4px 16px;color:var(--soft);font-size:12.5px;margin:2px 0 6px}"
        ".legend "
        "i{display:inline-block;width:14px;height:4px;border-radius:2px;margin-right:6px;vertical-align:middle}\n"
        "i.ok{background:var(--ok)}i.fail{background:var(--fail)}i.info{background:var(--info)}i.q50{background:var(--"
        "q50)}"
        "i.q95{background:var(--q95)}i.q99{background:var(--q99)}\n"
        "svg{display:block;width:100%;height:auto;overflow:visible}svg text{font-family:inherit;fill:var(--soft)}"
        ".tick{font-size:10.5px}.unit{font-size:10.5px;font-style:italic}.grid{stroke:var(--grid);stroke-width:1}"
        ".axis{stroke:var(--axis);stroke-width:1}\n"
        ".curve{fill:none;stroke-width:1.6;stroke-linejoin:round}.curve.ok{stroke:var(--ok)}.curve.fail{stroke:var(--"
        "fail)}"
        ".curve.info{stroke:var(--info)}.q50{stroke:var(--q50)}.q95{stroke:var(--q95)}.q99{stroke:var(--q99)}"
        ".spike{stroke:var(--info);stroke-width:3}.area.ok{fill:var(--ok);opacity:.13}\n"
        ".pt{opacity:.45}.pt.ok{fill:var(--ok)}.pt.fail{fill:var(--fail)}.pt.info{fill:var(--info);opacity:.85}\n"
        ".op.ok,.proof.ok{fill:var(--ok)}.op.fail,.proof.fail{fill:var(--fail)}.op.info,.proof.info{fill:var(--info)}"
        ".op{opacity:.9}.op.s1{opacity:.25}.op.s2{opacity:.45}.op.s3{opacity:.7}.op.s4{opacity:.95}"
        ".op.info.s1,.op.info.s2{opacity:.8}\n"
        ".proof{rx:5px}.proof.info{opacity:.75}.proof.culprit{stroke:var(--bad);stroke-width:3}svg "
        ".in{font-size:12px;fill:var(--in);font-weight:550;pointer-events:none}\n"
        ".band{opacity:.09}.bar{opacity:.85;rx:2px}.f0{fill:#d1495b}.f1{fill:#3d7ea6}.f2{fill:#edae49}.f3{fill:#66a182}"
        ".f4{fill:#8d6cab}.f5{fill:#d8793f}.f6{fill:#4aa3a2}.f7{fill:#9c7a5b}\n"
        "td.f svg{width:11px;height:11px;display:inline-block;vertical-align:-1px;margin-right:7px}\n"
        "#tip{position:fixed;display:none;white-space:pre-line;background:var(--tip);color:var(--tiptext);padding:6px "
        "10px;"
        "border-radius:7px;font-size:12.5px;max-width:460px;pointer-events:none;z-index:9;"
        "box-shadow:0 3px 14px rgba(0,0,0,.25)}[data-t]:hover{stroke:var(--text);stroke-width:1}\n"
        "@media print{body{background:#fff}section,.tile{break-inside:avoid}}\n";

static const char script[] =
        "const t=document.getElementById('tip');document.addEventListener('mousemove',e=>{"
        "const s=e.target.closest&&e.target.closest('[data-t]');if(!s){t.style.display='none';return}"
        "t.textContent=s.getAttribute('data-t');t.style.display='block';"
        "t.style.left=Math.max(4,Math.min(e.clientX+14,innerWidth-t.offsetWidth-8))+'px';"
        "t.style.top=Math.max(4,Math.min(e.clientY+16,innerHeight-t.offsetHeight-8))+'px'});\n";

void report_style(struct strbuf *out)
{
	strbuf_adds(out, "<style>\n");
	strbuf_adds(out, style);
	strbuf_adds(out, "</style>\n");
}

void report_script(struct strbuf *out)
{
	strbuf_adds(out, "<div id=\"tip\"></div>\n<script>\n");
	strbuf_adds(out, script);
	strbuf_adds(out, "</script>\n");
}
