"""What each metric of a run means, in one line."""

MEANINGS = {
    "loss_critic": "mean squared TD error, mean over the critics",
    "loss_actor": "weighted sum of the actor's three terms: what its gradient descends",
    "loss_ql": "minus the value of the policy's actions over their mean absolute value; -1 or 1 when all agree in sign",
    "loss_fm": "squared error of the finest shortcut against data minus noise; its floor is that velocity's spread",
    "loss_sc": "squared error of one step against two steps of half the size; 0 when steps of all sizes agree",
    "q_mean": "mean Q of the batch's own actions",
    "q_min": "least Q in the batch",
    "q_max": "greatest Q in the batch; above the greatest possible return it is overestimated",
    "grad_norm_actor": "norm of the actor's gradient before clipping",
    "grad_norm_critic": "norm of the critic's gradient before clipping",
    "clipped_actor": "share of updates whose actor gradient was clipped",
    "clipped_critic": "share of updates whose critic gradient was clipped",
    "saturation": "share of the policy's action coordinates that hit the limits -1 and 1",
    "val_critic": "loss_critic on held-out data",
    "val_fm": "loss_fm on held-out data",
    "val_sc": "loss_sc on held-out data",
}
"""Metrics are means over the updates since the last report; those that start with `val_` are of one fixed batch."""
