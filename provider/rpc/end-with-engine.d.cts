export function endWithEngine(address: string, end: () => void): void;
