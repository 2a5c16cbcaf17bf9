"""Ten networks in PyTorch, batched by baddbmm, AdamW and dropout: processor time, the least of a few runs."""

import json
import sys
import time
from itertools import pairwise

import numpy as np
import torch
from sklearn.datasets import load_digits

sizes, repeats = json.loads(sys.argv[1]), int(sys.argv[2])
EPOCHS, BATCH, MEMBERS = 20, 64, 10
torch.set_num_threads(1)


def train():
    torch.manual_seed(0)
    X, y = load_digits(return_X_y=True)
    X = torch.from_numpy(((X - X.mean(axis=0)) / X.std()).astype(np.float32))
    y = torch.from_numpy(y)
    n = len(X)
    samples = [torch.bincount(torch.randint(0, n, (n,)), minlength=n) for _ in range(MEMBERS)]
    counts = torch.stack(samples).float()
    units = [X.shape[1], *sizes, 10]
    parameters = []
    for a, b in pairwise(units):
        bound = (6 / (a + b)) ** 0.5
        parameters.append(torch.empty(MEMBERS, a, b).uniform_(-bound, bound).requires_grad_())
        parameters.append(torch.zeros(MEMBERS, 1, b, requires_grad=True))
    optimizer = torch.optim.AdamW(parameters, lr=0.003, weight_decay=0.01, fused=True)
    n_steps = EPOCHS * -(-n // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(n).split(BATCH):
            h = torch.nn.functional.dropout(X[rows], 0.2).expand(MEMBERS, -1, -1)
            for i in range(0, len(parameters), 2):
                h = torch.baddbmm(parameters[i + 1], h, parameters[i])
                if i < len(parameters) - 2:
                    h = torch.nn.functional.dropout(torch.relu(h), 0.4)
            losses = torch.nn.functional.cross_entropy(
                h.reshape(-1, 10), y[rows].repeat(MEMBERS), reduction="none"
            )
            loss = (losses.reshape(MEMBERS, -1) * counts[:, rows]).mean(dim=1).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()


times = []
for _ in range(repeats + 1):
    start = time.process_time()
    train()
    times.append(time.process_time() - start)
print(min(times))
