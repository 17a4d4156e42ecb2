"""Makes casts.csv: oxygen falls with temperature, and turns round with depth. Not real data."""

import math
import random

noise = random.Random(1)
with open("casts.csv", "w") as out:
    out.write("depth [m],temp [degC],oxygen [ml/l]\n")
    for _ in range(1600):
        depth = round(noise.uniform(0, 1000), 1)
        temp = round(noise.uniform(4, 22), 2)
        bent = math.sin((temp - 13) / 4)
        oxygen = 7 - 0.12 * temp + (1 - depth / 400) * bent + noise.gauss(0, 0.05)
        out.write(f"{depth},{temp},{oxygen:.3f}\n")
