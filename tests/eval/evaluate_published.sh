#!/bin/sh
# evaluate_published.sh PROGRAM: what `softlabel evaluate --predictions` says of the published
# predictions against the published human labels is what the protocol file says, to 1e-6; on all
# images and on the validation parts of split seeds 0 to 2, with counts and with proportions.
set -eu
data=$(cd "$(dirname "$0")/../.." && pwd)/../shared
if [ ! -f "$data/conformance/protocol.json" ] || [ ! -d "$data/data/predictions" ]; then
    echo "skipped: no published predictions in '$data'"
    exit 77
fi
exec /usr/bin/python3 - "$1" "$data" <<'PY'
import json, subprocess, sys
program, data = sys.argv[1:]
protocol = json.load(open(data + '/conformance/protocol.json'))
names = list(protocol['evaluation'])
files = ['%s/data/predictions/%s_test.npz' % (data, name) for name in names]
worst = 0

def compare(what, got, want):
    global worst
    worst = max(worst, abs(got - want))
    if not abs(got - want) <= 1e-6:
        sys.exit('%s is %.9g, expected %.9g' % (what, got, want))

for labels in 'counts', 'probs':
    for split in 'all', '0', '1', '2':
        command = [program, 'evaluate', '--json', '--quiet', '--bootstrap', '0', '--predictions',
                   *files, '--labels', '%s/data/cifar10h/cifar10h-%s.npy' % (data, labels)]
        if split != 'all':
            command += ['--split-seed', split]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        for name, model in zip(names, result['models']):
            for measure, want in protocol['evaluation'][name][split].items():
                compare('%s, %s, %s' % (name, split, measure), model[measure], want)
        if split == 'all':
            people, want = result['human_labels'], protocol['cifar10h']
            for key in ('mean_accuracy_per_image', 'modal_label_agrees_with_cifar10',
                        'mean_entropy_nats'):
                compare(key, people[key], want[key])
            if labels == 'counts':
                compare('judgments', people['judgments'], want['judgments'])
                for key in 'min', 'max', 'mean':
                    compare(key, people['per_image'][key], want['per_image'][key])
print('all figures within %.2g' % worst)
PY
