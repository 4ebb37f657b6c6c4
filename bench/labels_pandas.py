"""Counts of choices by image from raw trials, as one would write it with pandas.

    labels_pandas.py RAW.csv OUT.npy        prints {"seconds": of read_csv and groupby}
"""
import json
import sys
import time

import numpy as np
import pandas as pd

start = time.monotonic()
trials = pd.read_csv(sys.argv[1])
checks = trials[trials.is_attn_check == 1].groupby("annotator_id").correct_guess.mean()
missed = checks.index[checks < 0.75]
judged = trials[(trials.is_attn_check == 0) & ~trials.annotator_id.isin(missed)]
counts = judged.groupby(["cifar10_test_set_idx", "chosen_label"]).size()
counts = counts.unstack(fill_value=0).reindex(range(10000), fill_value=0)
np.save(sys.argv[2], counts.to_numpy())
print(json.dumps({"seconds": time.monotonic() - start}))
