// How sure a rate is that was counted on few cases.

/** The quantile of the normal distribution that leaves 2.5 % on either side: a two-sided interval of 95 %. */
const Z = 1.959963984540054;

/**
 * Lower bound of the 95 % score interval of a rate, 0 to 1: of rates counted like this one, the true one is below it in
 * 2.5 % of cases. 3 of 3 gives 0.4385, 4 of 4 gives 0.5101, 100 of 100 gives 0.963. 0 where nothing was counted.
 * @see E. B. Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), 209–212
 */
export function wilsonLower(hits: number, of: number): number {
  if (of === 0) return 0;
  const rate = hits / of;
  const spread = Z * Math.sqrt((rate * (1 - rate) + (Z * Z) / (4 * of)) / of);
  return Math.max(0, (rate + (Z * Z) / (2 * of) - spread) / (1 + (Z * Z) / of));
}

/** The same as SQL over two expressions of type float8, the second above zero. */
export function wilsonLowerSql(hits: string, of: string): string {
  const rate = `((${hits}) / (${of}))`;
  const spread = `${Z} * sqrt((${rate} * (1 - ${rate}) + ${Z * Z} / (4 * (${of}))) / (${of}))`;
  return `greatest(0, (${rate} + ${Z * Z} / (2 * (${of})) - ${spread}) / (1 + ${Z * Z} / (${of})))`;
}
