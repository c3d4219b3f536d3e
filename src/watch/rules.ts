// Prometheus alerting rules of a definition, and the promtool tests that show each firing and quiet.
import type { Definition } from '../define/database.ts';
import type { AlertRule, RuleCase } from '../define/measure.ts';
import { engineRules } from './engine-rules.ts';
import { type Yaml, yaml } from './yaml.ts';

/** Every rule of a definition: the engine's, then those of its traits, each name once. */
export function rulesOf(definition: Definition): readonly AlertRule[] {
  return [...engineRules(definition), ...definition.measures.alerts];
}

/**
 * The rules as a file for Prometheus' `rule_files`: one group, YAML.
 * @see https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
 */
export function alertRules(definition: Definition): string {
  const rules = rulesOf(definition).map((rule) => ({
    alert: rule.name,
    expr: rule.expr,
    for: rule.for,
    labels: { severity: rule.severity },
    annotations: { summary: rule.summary, description: rule.description },
  }));
  return yaml({ groups: [{ name: `holdfast ${definition.name}`, rules }] });
}

/**
 * Unit tests of those rules for `promtool test rules`, one for each case.
 * @param rulesFile where {@link alertRules} was written, absolute or from the folder of the tests
 * @see https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
 */
export function alertTests(definition: Definition, rulesFile: string): string {
  const tests = rulesOf(definition).flatMap((rule) => rule.cases.map((one) => testOf(rule, one)));
  return yaml({ rule_files: [rulesFile], evaluation_interval: '1m', tests });
}

function testOf(rule: AlertRule, one: RuleCase): Yaml {
  return {
    name: `${rule.name} ${one.fires.length > 0 ? 'fires' : 'stays quiet'}`,
    interval: '1m',
    input_series: Object.entries(one.series).map(([series, values]) => ({ series, values })),
    alert_rule_test: [
      {
        eval_time: `${one.atMinute}m`,
        alertname: rule.name,
        exp_alerts: one.fires.map((labels) => ({
          exp_labels: { ...labels, severity: rule.severity },
          exp_annotations: {
            summary: filled(rule.summary, labels),
            description: filled(rule.description, labels),
          },
        })),
      },
    ],
  };
}

// As Prometheus fills them: a label that is not there becomes nothing.
function filled(template: string, labels: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{\{ \$labels\.([a-z0-9_]+) \}\}/g, (_, label: string) => labels[label] ?? '');
}
