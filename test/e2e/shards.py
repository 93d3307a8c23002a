"""Which samples each rank must have trained on in its first epoch, worked out apart from the training script:

    shards.py SAMPLES WORLD_SIZE SEED      prints {"sha256": [...], "disjoint": …, "complete": …}
"""
import hashlib
import json
import sys

import torch
from torch.utils.data import TensorDataset
from torch.utils.data.distributed import DistributedSampler

samples, ranks, seed = map(int, sys.argv[1:])
order = torch.randperm(samples, generator=torch.Generator().manual_seed(seed)).tolist()
training = order[:(samples - samples // 5) // ranks * ranks]
shards = []
for rank in range(ranks):
    sampler = DistributedSampler(TensorDataset(torch.zeros(len(training))), num_replicas=ranks, rank=rank, seed=seed)
    sampler.set_epoch(1)
    shards.append(sorted(training[place] for place in sampler))
print(json.dumps({
    "sha256": [hashlib.sha256(",".join(map(str, shard)).encode()).hexdigest() for shard in shards],
    "sizes": [len(shard) for shard in shards],
    "disjoint": not set(shards[0]) & set(shards[1]),
    "complete": sorted(shards[0] + shards[1]) == sorted(training),
}))
