#pragma once
// How pages look, on a screen and on A4.

#include <string_view>

namespace prescript {

inline constexpr std::string_view kPageStyle = R"(
:root { color: #1a1a1a; background: #fff; font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
body { max-width: 64rem; margin: 2.5rem auto 4rem; padding: 0 1.5rem; }
h1, h2, h3 { line-height: 1.25; overflow-wrap: anywhere; }
h1 { font-size: 1.9rem; margin: 0; }
h2 { font-size: 1.3rem; margin: 3rem 0 .75rem; padding-top: .75rem; border-top: 2px solid #1a1a1a; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
header p { color: #555; margin: .25rem 0 0; overflow-wrap: anywhere; }
nav { margin: 1.5rem 0 0; }
nav a { color: #005a8c; margin-right: 1.25rem; white-space: nowrap; display: inline-block; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
p { margin: .6rem 0; }
.note { color: #444; font-size: .9rem; border-left: 3px solid #bbb; padding-left: .8rem; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: .75rem 0; font-size: .92rem; }
dl.facts dt { color: #555; }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 1rem 0 1.5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem; }
th, td { text-align: left; vertical-align: middle; padding: .3rem .9rem .3rem 0; font-weight: normal; }
thead th { color: #555; font-size: .94em; vertical-align: bottom; border-bottom: 1px solid #1a1a1a; }
tbody tr { border-top: 1px solid #999; }
tbody tr.more { border-top: 1px solid #e4e4e4; }
tbody tr:first-child { border-top: 0; }
tbody tr:last-child { border-bottom: 1px solid #1a1a1a; }
tr.more th { color: #707070; }
.number { text-align: right; white-space: nowrap; }
thead th.number { white-space: normal; }
small { color: #555; font-size: .85em; }
.strip { position: relative; width: 28%; min-width: 11rem; padding: 0 .9rem 0 0; }
.strip svg.fill { position: absolute; left: 0; top: 0; width: calc(100% - .9rem); height: 100%; font-size: 12px; dominant-baseline: central; }
.strip svg.scale { display: block; width: 100%; height: 16px; overflow: visible; font-size: 11px; fill: #555; }
svg rect { stroke: #fff; stroke-width: 1; }
.grid { stroke: #e4e4e4; stroke-width: 1; }
.axis { stroke: #1a1a1a; stroke-width: 1; }
.reference { stroke: #777; stroke-width: 1.5; stroke-dasharray: 3 3; fill: none; }
.interval { stroke: #0072b2; stroke-width: 2; }
.value { fill: #0072b2; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(27rem, 100%), 1fr)); gap: 1.5rem 2rem; margin: 1rem 0 1.5rem; }
figure { margin: 0; max-width: 38rem; }
figcaption { font-size: .9rem; margin-bottom: .4rem; }
svg.chart { display: block; width: 100%; font-size: 13px; fill: #333; }
.legend { list-style: none; margin: .4rem 0 0; padding: 0; font-size: .85rem; display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; }
.swatch { margin-right: .5em; vertical-align: middle; fill: none; }
.texts { border: 1px solid #ccc; border-radius: 4px; padding: .1rem 1rem .7rem; margin: .8rem 0; font-size: .9rem; }
.texts h3 { margin: .6rem 0 .3rem; font-size: .9rem; }
.texts dl { display: grid; grid-template-columns: fit-content(10rem) 1fr; gap: .3rem 1.2rem; margin: 0; }
.texts dt { color: #555; overflow-wrap: anywhere; }
.texts dd { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
pre { font-size: .8rem; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f6; padding: .8rem 1rem; }
@media print, (max-width: 52rem) {
  th, td { padding-right: .6rem; }
  .number small { display: block; }
}
@media screen and (max-width: 52rem) {
  table { font-size: .8rem; }
  .strip { min-width: 8rem; }
}
@page { size: A4; margin: 16mm 14mm; }
@media print {
  :root { font-size: 10.5pt; }
  body { max-width: none; margin: 0; padding: 0; }
  nav { display: none; }
  h2, h3, caption { break-after: avoid; }
  tr, figure, .note, .texts, .short { break-inside: avoid; }
  .scroll { overflow: visible; }
  table { font-size: .8em; }
  .strip { min-width: 6rem; }
  .charts { grid-template-columns: 1fr; }
  figure { max-width: 135mm; }
  pre { background: none; border: 1px solid #ccc; }
}
)";

}  // namespace prescript
