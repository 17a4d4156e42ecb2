"""A multilayer perceptron as a network of one's own, in numpy."""

import farcast
import numpy as np


def layers(weights, layout):
    parts = layout.split(weights)
    names = [name.removesuffix(".weight") for name in parts if name.endswith(".weight")]
    return [(parts[f"{name}.weight"], parts[f"{name}.bias"]) for name in names]


def run(weights, inputs, layout):
    """The values of all layers, inputs first: ``[k, rows, width]`` each."""
    values = [inputs.astype(float)]
    stack = layers(weights.astype(float), layout)
    for at, (weight, bias) in enumerate(stack):
        out = values[-1] @ weight.transpose(0, 2, 1) + bias[:, None, :]
        values.append(np.tanh(out) if at + 1 < len(stack) else out)
    return values


class Mlp:
    """Layers as of `torch.nn.Linear`; `twin` starts from the weights of another parent."""

    def layout(self, hidden):
        widths = [1, *hidden, 1]
        tensors = []
        for at, (wide, out) in enumerate(zip(widths, widths[1:])):
            tensors += [(f"layers.{at}.weight", (out, wide)), (f"layers.{at}.bias", (out,))]
        return farcast.Layout(tensors)

    def train(self, ctx, *, data, samples, inputs, target, hidden, twin=None, steps=300, members=1):
        layout = self.layout(hidden)
        if twin is not None:
            return farcast.Weights(twin.weights, layout)
        rng = ctx.rng("start")
        row = rng.normal(0, 0.7, (1, len(layout)))
        velocity = np.zeros_like(row)
        x, y = samples["inputs"][None], samples["targets"][None]
        losses, states = [], [row]
        for step in range(steps):
            loss, gradient = self.gradients(row, x, y, hidden=hidden)
            velocity = 0.9 * velocity - 0.05 * gradient
            row = row + velocity
            if step % 50 == 49:
                ctx.progress(step + 1, steps, float(loss[0]))
                losses.append([step + 1, float(loss[0]), None])
                states.append(row)
        # The states of training, for `record`; the last one is the result.
        at = {"step": np.arange(len(states)) * 50}
        return farcast.Weights(np.concatenate(states), layout, at, head={"losses": losses})

    def outputs(self, weights, inputs, *, hidden, **_):
        return run(weights, inputs, self.layout(hidden))[-1].astype(np.float32)

    def gradients(self, weights, inputs, targets, *, hidden, **_):
        layout = self.layout(hidden)
        values = run(weights, inputs, layout)
        error = values[-1] - targets
        losses = (error**2).mean(axis=(1, 2))
        back = 2 * error / error[0].size
        found = {}
        stack = layers(weights.astype(float), layout)
        for at in range(len(stack) - 1, -1, -1):
            found[f"layers.{at}.weight"] = back.transpose(0, 2, 1) @ values[at]
            found[f"layers.{at}.bias"] = back.sum(axis=1)
            if at:
                back = (back @ stack[at][0]) * (1 - values[at] ** 2)
        rows = [found[name].reshape(len(weights), -1) for name, _ in layout.tensors]
        return losses, np.concatenate(rows, axis=1).astype(np.float32)


farcast.network("mine", Mlp())
if __name__ == "__main__":
    farcast.serve()
