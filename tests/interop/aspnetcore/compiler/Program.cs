// The C# compiler, to check generated code.
//   interop-csharp check FILE...     compiles the files together against .NET and SignalR; prints the errors and 'N errors'; exits with 1 if there are any
//   interop-csharp hubs FILE...      prints, as JSON, the hubs and interfaces in them as the compiler understands them: methods, parameters, types, wire names
using System.Text.Json;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

if (args.Length < 2 || args[0] is not ("check" or "hubs")) { Console.Error.WriteLine("usage: interop-csharp check|hubs FILE..."); return 2; }

var references = Directory.GetFiles(AppContext.BaseDirectory, "*.dll")
    .Where(IsManaged)
    .Select(f => MetadataReference.CreateFromFile(f));
var trees = args.Skip(1).Select(f => CSharpSyntaxTree.ParseText(File.ReadAllText(f), new CSharpParseOptions(LanguageVersion.Latest), f)).ToList();
trees.Add(CSharpSyntaxTree.ParseText("global using System; global using System.Collections.Generic; global using System.Threading; global using System.Threading.Tasks; global using System.Linq;"));
var compilation = CSharpCompilation.Create("check", trees, references, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));

if (args[0] == "check")
{
    var errors = compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).ToList();
    foreach (var error in errors) Console.WriteLine(error);
    Console.WriteLine(errors.Count + " errors");
    return errors.Count == 0 ? 0 : 1;
}

var hubs = trees
    .SelectMany(t => t.GetRoot().DescendantNodes().Select(n => compilation.GetSemanticModel(t).GetDeclaredSymbol(n)))
    .OfType<INamedTypeSymbol>().Distinct<INamedTypeSymbol>(SymbolEqualityComparer.Default)
    .Where(t => t.TypeKind == TypeKind.Interface || IsHub(t))
    .Select(t => new
    {
        name = t.Name,
        kind = IsHub(t) ? "hub" : "interface",
        client = t.BaseType is { IsGenericType: true } b ? b.TypeArguments[0].Name : null,
        methods = t.GetMembers().OfType<IMethodSymbol>()
            .Where(m => m.MethodKind == MethodKind.Ordinary && m.DeclaredAccessibility == Accessibility.Public && !m.IsStatic && !m.IsOverride)
            .Select(m => new
            {
                name = m.Name,
                wireName = m.GetAttributes().FirstOrDefault(a => a.AttributeClass.Name == "HubMethodNameAttribute")?.ConstructorArguments[0].Value ?? m.Name,
                returns = m.ReturnType.ToDisplayString(),
                parameters = m.Parameters.Select(p => new { name = p.Name, type = p.Type.ToDisplayString(), attributes = p.GetAttributes().Select(a => a.AttributeClass.Name) }),
            }),
    });
Console.WriteLine(JsonSerializer.Serialize(hubs, new JsonSerializerOptions { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
return 0;

static bool IsHub(INamedTypeSymbol type)
{
    for (var b = type.BaseType; b != null; b = b.BaseType)
        if (b.Name == "Hub" && b.ContainingNamespace.ToDisplayString() == "Microsoft.AspNetCore.SignalR") return true;
    return false;
}

static bool IsManaged(string file)
{
    using var stream = File.OpenRead(file);
    using var reader = new System.Reflection.PortableExecutable.PEReader(stream);
    try { return reader.HasMetadata; } catch (BadImageFormatException) { return false; }
}
