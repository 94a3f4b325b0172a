# SERIES<tab>X<tab>Y lines to an SVG with logarithmic axes: -v title=… -v xlabel=…
BEGIN {
    FS = "\t"
    W = 640; H = 380; left = 70; right = 20; top = 44; bottom = 76
    split("#0b6e4f #c8553d #3d5a80 #8a8a8a #8f5ea8", colour, " ")
}
$3 > 0 {
    if (!($1 in index_of)) { index_of[$1] = ++series; name[series] = $1 }
    i = index_of[$1]
    n[i]++; xs[i, n[i]] = $2; ys[i, n[i]] = $3
    if (!points++) { x0 = x1 = $2; y0 = y1 = $3 }
    if ($2 < x0) x0 = $2; if ($2 > x1) x1 = $2
    if ($3 < y0) y0 = $3; if ($3 > y1) y1 = $3
}
function log10(v) { return log(v) / log(10) }
function floor(v) { return v == int(v) || v > 0 ? int(v) : int(v) - 1 }
function px(x) { return left + (W - left - right) * (x1 > x0 ? (log10(x) - log10(x0)) / (log10(x1) - log10(x0)) : 0.5) }
function py(y) { return H - bottom - (H - top - bottom) * (log10(y) - ly0) / (ly1 - ly0) }
function short(v) {
    return v >= 1e6 ? sprintf("%g M", v / 1e6) : v >= 1e4 ? sprintf("%g k", v / 1e3) : sprintf("%g", v)
}
function text(x, y, anchor, what, style) {
    gsub(/&/, "\\&amp;", what); gsub(/</, "\\&lt;", what)
    printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"%s>%s</text>\n", x, y, anchor, style, what
}
function line(x, y, xx, yy, what) {
    printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x, y, xx, yy, what
}
END {
    if (!points) exit
    ly0 = floor(log10(y0)); ly1 = floor(log10(y1)) + 1
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" ", W, H, W, H
    print "font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\" role=\"img\">"
    printf "<title>%s</title><rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", title
    text(left, 24, "start", title, " font-size=\"15\" font-weight=\"600\"")
    for (e = ly0; e <= ly1; e++) for (m = 1; m <= 5; m += (m == 1 ? 1 : 3)) {
        v = m * 10 ^ e
        if (log10(v) > ly1 + 1e-9) continue
        line(left, py(v), W - right, py(v), m == 1 ? "stroke=\"#ccc\"" : "stroke=\"#eee\"")
        text(left - 8, py(v) + 4, "end", short(v), "")
    }
    longest = 1
    for (i = 2; i <= series; i++) if (n[i] > n[longest]) longest = i
    for (j = 1; j <= n[longest]; j++) {
        x = xs[longest, j]
        line(px(x), top, px(x), H - bottom, "stroke=\"#eee\"")
        text(px(x), H - bottom + 18, "middle", short(x), "")
    }
    text((left + W - right) / 2, H - bottom + 36, "middle", xlabel, "")
    for (i = 1; i <= series; i++) {
        path = ""
        for (j = 1; j <= n[i]; j++) path = path sprintf("%s%.1f,%.1f", j == 1 ? "M" : " L", px(xs[i, j]), py(ys[i, j]))
        printf "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"/>\n", path, colour[i]
        for (j = 1; j <= n[i]; j++)
            printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", px(xs[i, j]), py(ys[i, j]), colour[i]
        if (i == 1) at = left; else at += 44 + 6.6 * length(name[i - 1])
        line(at, H - 16, at + 18, H - 16, "stroke-width=\"3\" stroke=\"" colour[i] "\"")
        text(at + 24, H - 12, "start", name[i], "")
    }
    print "</svg>"
}
