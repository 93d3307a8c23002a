/** The documents of one kind in memory, found by zone and id, listed oldest first in one zone or in all. */
export class Table<Document extends { readonly zone: string; readonly id: string }> {
  private readonly all = new Map<string, Document>();
  private readonly zones = new Map<string, Map<string, Document>>();

  get(zone: string, id: string): Document | undefined {
    return this.zones.get(zone)?.get(id);
  }

  list(zone?: string): Document[] {
    return [...((zone === undefined ? this.all : this.zones.get(zone))?.values() ?? [])];
  }

  set(document: Document): void {
    const { zone, id } = document;
    this.all.set(`${zone}/${id}`, document);
    const inZone = this.zones.get(zone);
    if (inZone === undefined) this.zones.set(zone, new Map([[id, document]]));
    else inZone.set(id, document);
  }

  delete({ zone, id }: Document): void {
    this.all.delete(`${zone}/${id}`);
    this.zones.get(zone)?.delete(id);
  }
}
