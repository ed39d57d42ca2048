a = !b && c || d == e != f >= g <= h * (i / j % k) - l
b = { for k, v in { a = 1, "b" : 2 } : k => v... if true }
c = provider::x::f(a, b...)
/* block
comment */
d = "é\u00e9\n$${x}%%{y}"
e = 1.5e-3
