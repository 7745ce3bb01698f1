export async function chatHere(_a: unknown, _b: unknown): Promise<void> {}
