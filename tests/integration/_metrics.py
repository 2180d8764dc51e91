"""Checks a text of Prometheus metrics from standard input: `_metrics.py NAME...` also wants each of these to be there.

HELP and TYPE once per name and before its samples, samples of a name together and none twice, numbers, histograms whose
buckets ascend to a +Inf that is the count. Prints what is wrong and fails."""
import re
import sys

LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
wrong = []


def family(name, types):
    for suffix in ('_bucket', '_sum', '_count'):
        if name.endswith(suffix) and types.get(name[:-len(suffix)]) == 'histogram':
            return name[:-len(suffix)]
    return name


def check_histogram(name, parts):
    for labels, h in parts.items():
        bounds = [b for b, _ in h['bucket']]
        counts = [c for _, c in h['bucket']]
        if bounds != sorted(set(bounds)) or counts != sorted(counts):
            wrong.append(f'{name}{dict(labels)}: buckets do not ascend')
        if not bounds or bounds[-1] != float('inf') or counts[-1] != h.get('count') or 'sum' not in h:
            wrong.append(f'{name}{dict(labels)}: no sum, or +Inf is not the count')


helps, types, seen, histograms, closed, now = {}, {}, set(), {}, set(), None
for n, line in enumerate(sys.stdin.read().split('\n')[:-1], 1):
    if line.startswith('# '):
        _, kind, name, rest = line.split(' ', 3)
        where = helps if kind == 'HELP' else types
        if name in where or name in closed or now == name and kind == 'HELP':
            wrong.append(f'line {n}: {kind} of {name} again, or behind its samples')
        where[name] = rest
        continue
    m = LINE.fullmatch(line)
    if not m:
        wrong.append(f'line {n}: {line}')
        continue
    name, labels, value = m.group(1), LABEL.findall(m.group(2) or ''), float(m.group(3))
    base = family(name, types)
    if base not in helps or base not in types:
        wrong.append(f'line {n}: {base} has no HELP or TYPE')
    if base != now:
        if base in closed:
            wrong.append(f'line {n}: {base} is not in one piece')
        closed.add(now)
        now = base
    if (name, tuple(labels)) in seen:
        wrong.append(f'line {n}: {line} again')
    seen.add((name, tuple(labels)))
    if types.get(base) == 'histogram':
        key = tuple(sorted(l for l in labels if l[0] != 'le'))
        h = histograms.setdefault(base, {}).setdefault(key, {'bucket': []})
        if name == base + '_bucket':
            h['bucket'].append((float(dict(labels)['le']), value))
        else:
            h[name[len(base) + 1:]] = value
for name, parts in histograms.items():
    check_histogram(name, parts)
for name in sys.argv[1:]:
    if not any(s[0] == name for s in seen):
        wrong.append(f'{name} is missing')
print(*wrong, sep='\n', end='\n' if wrong else '')
sys.exit(bool(wrong))
