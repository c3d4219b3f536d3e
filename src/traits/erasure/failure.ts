// What the server's errors mean for an erasure.

/** The SQLSTATE of an error of the server. */
export function sqlstate(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** Lock timeout, deadlock, serialisation: the same may succeed a moment later. */
export function passes(error: unknown): boolean {
  return ['55P03', '40P01', '40001'].includes(sqlstate(error) ?? '');
}
