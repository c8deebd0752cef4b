"""The style of the page of a report."""

from typing import Final

__all__ = ["STYLE"]

# Contrast of text is at least 4.5 to 1 on its ground, in light and in dark.
STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1f2328;--soft:#59636e;--line:#d1d9e0;--card:#f6f8fa;--link:#0550ae;
--danger:#a40e26;--danger-bg:#ffebe9;--caution:#7d4e00;--caution-bg:#fff8c5;--info:#0550ae;--info-bg:#ddf4ff;
--add:#116329;--add-bg:#dafbe1;--gone:#a40e26;--gone-bg:#ffebe9}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--fg:#e6edf3;--soft:#9ba5b0;--line:#3d444d;--card:#151b23;--link:#79b8ff;
--danger:#ff9a92;--danger-bg:#3c1618;--caution:#e3b341;--caution-bg:#2f2410;--info:#79b8ff;--info-bg:#0c2340;
--add:#7ee787;--add-bg:#12301c;--gone:#ff9a92;--gone-bg:#3c1618}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:break-word;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main,footer{max-width:1360px;margin:0 auto;padding:0 16px;min-width:0}
header{padding-top:24px}
footer{padding-bottom:32px;color:var(--soft);font-size:13px}
h1{font-size:26px;line-height:1.25;margin:4px 0 8px;overflow-wrap:anywhere}
h2{font-size:20px;margin:32px 0 10px;padding-bottom:4px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
h3{font-size:16px;margin:22px 0 8px}
h4{font-size:15px;margin:16px 0 6px;overflow-wrap:anywhere}
p{margin:4px 0 8px}
a{color:var(--link)}
nav ul{padding:0;margin:10px 0;list-style:none;display:flex;flex-wrap:wrap;gap:4px 18px}
code,pre,.m{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:13px}
code,.m,.field{overflow-wrap:anywhere}
.soft{color:var(--soft)}
.risk{border:1px solid var(--line);border-left:5px solid var(--line);border-radius:6px;
padding:10px 14px;margin:0 0 12px;overflow-wrap:anywhere}
.risk h3{margin:0 0 4px}
.risk h3 .soft{font-weight:400}
.cases{margin:2px 0;padding-left:18px}
.danger{border-left-color:var(--danger);background:var(--danger-bg)}
.caution{border-left-color:var(--caution);background:var(--caution-bg)}
.info{border-left-color:var(--info);background:var(--info-bg)}
.tag{display:inline-block;border:1px solid;border-radius:10px;padding:0 8px;
font-size:12px;font-weight:600;line-height:18px;margin-right:6px;white-space:nowrap}
.t-danger,.t-replace,.t-remove{color:var(--danger)}
.t-caution,.t-change{color:var(--caution)}.t-info{color:var(--info)}.t-add{color:var(--add)}
table{border-collapse:collapse;margin:6px 0 12px;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600}
.n{text-align:right}
.on td,.on th{font-weight:600}
.wide{overflow-x:auto;border:1px solid var(--line);border-radius:6px;margin:6px 0 12px}
.wide svg{display:block;min-width:1000px;max-width:100%;height:auto}
details{margin:4px 0}
summary{cursor:pointer;padding:3px 0;overflow-wrap:anywhere}
summary h2{display:inline-block;border:0;margin:0;padding:0}
.fold{border-bottom:1px solid var(--line);margin:24px 0 10px;padding-bottom:4px}
summary:hover{background:var(--card)}
.entry{border:1px solid var(--line);border-radius:6px;padding:3px 12px}
.entry[open]{padding-bottom:8px}
.field{margin:8px 0;padding-left:12px;border-left:2px solid var(--line)}
.field ul{margin:2px 0;padding-left:18px}
li{overflow-wrap:anywhere}
ol.b{columns:2;margin:4px 0}
del,ins{text-decoration:none;padding:0 3px;border-radius:3px;overflow-wrap:anywhere;white-space:pre-wrap}
del{color:var(--gone);background:var(--gone-bg)}
ins{color:var(--add);background:var(--add-bg)}
pre{margin:6px 0;padding:8px 10px;overflow-x:auto;background:var(--card);border-radius:6px;line-height:1.45}
pre .a{color:var(--add)}pre .d{color:var(--gone)}pre .p{color:var(--soft)}
@media (max-width:600px){h1{font-size:21px}ol.b{columns:1}th,td{padding-right:10px}}
@media print{
header,main,footer{max-width:none}.wide{overflow:visible}.wide svg{min-width:0}.risk,tr{break-inside:avoid}
details::details-content{content-visibility:visible;block-size:auto}
}"""
