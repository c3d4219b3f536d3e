// A collection in Prometheus' text format, by prom-client.
import { Counter, Gauge, Registry } from 'prom-client';
import type { Metric, Sample } from '../define/measure.ts';
import type { Collection } from './collect.ts';

/** The media type of {@link text}. */
export const contentType: string = Registry.PROMETHEUS_CONTENT_TYPE;

/**
 * Writes a collection in Prometheus' text format 0.0.4: families in their order, each with help and type; what could
 * not be seen as comments at the end. A fresh registry each time, so that no series outlives what it measured.
 * @param families as `families(definition)` gives them; a family without a sample is left out
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
export async function text(families: readonly Metric[], collection: Collection): Promise<string> {
  const registry = new Registry();
  for (const family of families) {
    const samples = collection.samples.filter((one) => one.metric === family.name);
    if (samples.length > 0) register(registry, family, samples);
  }
  const comments = collection.notes.map((note) => `# ${oneLine(`${note.collector}: ${note.what}`)}\n`);
  return `${await registry.metrics()}${comments.join('')}`;
}

function register(registry: Registry, family: Metric, samples: readonly Sample[]): void {
  const { name, help, type, labels } = family;
  const made = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === 'counter') {
    const counter = new Counter(made);
    for (const sample of samples) counter.inc(inOrder(labels, sample), sample.value);
    return;
  }
  const gauge = new Gauge(made);
  for (const sample of samples) gauge.set(inOrder(labels, sample), sample.value);
}

function inOrder(labels: readonly string[], sample: Sample): Record<string, string> {
  return Object.fromEntries(labels.map((label) => [label, sample.labels[label] ?? '']));
}

function oneLine(line: string): string {
  return line.replaceAll(/[\r\n]+/g, ' ');
}
